//! Socket.IO, protocol 5: namespaces, events and acknowledgements in the messages of Engine.IO, for the server model
//! of `roomcast`.

// Files import only downwards: arguments; packet, codec; decoder, wake; outbound, inbound; service.
mod arguments;
mod codec;
mod decoder;
mod inbound;
mod outbound;
mod packet;
mod service;
mod wake;

pub use arguments::{Arguments, BadArguments};
pub use codec::{Encoded, Packets};
pub use service::SocketIo;
