//! Clients made of raw bytes, well-behaved or not, and the server that they are let loose on.

pub(crate) mod http;
pub(crate) mod polling;
pub(crate) mod server;
pub(crate) mod websocket;
pub(crate) mod well_behaved;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a server may take to say something that it has to say at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a connection that gives up reading and writing after `patience`.
pub(crate) fn connect(address: SocketAddr, patience: Duration) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(patience)).unwrap();
    stream.set_write_timeout(Some(patience)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Whether a call failed because the other side has ended the connection, and not because it kept silent.
pub(crate) fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}
