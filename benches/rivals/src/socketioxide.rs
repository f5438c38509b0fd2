//! socketioxide in full, with sockets that have a connection and no network.
//!
//! Does more than the others: it encodes each message to the text of a packet, once, as a client is to be sent it, and
//! readers take the payload out of that; each connection has a task, which is woken and moves packets. (It stands for
//! the one that writes to the network, and is of socketioxide's own tests: a real one has no second channel behind
//! it.) All runs on a current-thread runtime that is set up so that one turn runs every task there is. It finds rooms
//! by name. Does less: messages of several threads have no common order, and what a full channel does not take is
//! lost to that socket, with an error to the publisher.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use engineioxide_core::Packet;
use socketioxide::SocketIo;
use socketioxide::ack::AckStream;
use socketioxide::extract::{Data, SocketRef};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::task::yield_now;

use crate::load::{PAYLOAD_BYTES, Tally, first_word};
use crate::systems::{Ask, ByName, Direct, Everyone, Peer, Select, System};

/// What comes before the payload in a packet.
const HEAD: &str = r#"2["moved",""#;
const EVENT: &str = "moved";

pub struct Socketioxide {
    io: SocketIo,
    runtime: Runtime,
    /// How often tasks may have to run to move all that is unread.
    turns: usize,
}

pub struct Socket {
    socket: SocketRef,
    packets: Receiver<Packet>,
    /// What the client would send. It is disconnected without.
    _client: Sender<Packet>,
}

impl Peer for Socketioxide {
    const ID: &str = "socketioxide";
    const PUSHES: bool = true;

    type Payload = Arc<str>;

    fn payload(bytes: [u8; PAYLOAD_BYTES]) -> Arc<str> {
        str::from_utf8(&bytes).expect("payloads are text").into()
    }

    fn bytes(payload: &Arc<str>) -> &[u8] {
        payload.as_bytes()
    }
}

impl System for Socketioxide {
    /// A name that lives for ever: others would be cloned with each message.
    type Room = &'static str;
    type Socket = Socket;

    fn new(sockets: usize, unread: usize) -> (Self, Vec<Socket>) {
        // No I/O: waking its thread is then no system call.
        let runtime =
            Builder::new_current_thread().enable_time().event_interval(u32::MAX).build().expect("a runtime");
        let (_, io) = SocketIo::builder().max_buffer_size(unread.max(128)).build_svc();
        let connected: Arc<Mutex<Vec<Option<SocketRef>>>> = Arc::new(Mutex::new(vec![None; sockets]));
        let list = Arc::clone(&connected);
        io.ns("/", async move |socket: SocketRef, Data([number]): Data<[usize; 1]>| {
            list.lock().expect("no panic")[number] = Some(socket);
        });
        let connections: Vec<_> = runtime.block_on(async {
            let connect = |number| {
                let io = io.clone();
                tokio::spawn(async move { io.new_dummy_sock("/", [number]).await })
            };
            let pending: Vec<_> = (0..sockets).map(connect).collect();
            let mut connections = Vec::with_capacity(sockets);
            for connection in pending {
                connections.push(connection.await.expect("no panic"));
            }
            connections
        });
        let refs = std::mem::take(&mut *connected.lock().expect("no panic"));
        let sockets = refs.into_iter().zip(connections).map(|(socket, (client, mut packets))| {
            packets.try_recv().expect("it is told that it is connected");
            Socket { socket: socket.expect("it is connected"), packets, _client: client }
        });
        let sockets = sockets.collect();
        // A task moves 64 packets or so before it lets others run.
        (Self { io, runtime, turns: unread / 32 + 2 }, sockets)
    }

    fn room(&self, name: &str) -> &'static str {
        name.to_owned().leak()
    }

    fn join(&self, socket: &mut Socket, room: &&'static str) {
        socket.socket.join(*room);
    }

    fn leave(&self, socket: &mut Socket, room: &&'static str) {
        socket.socket.leave(*room);
    }

    fn publish(&self, room: &&'static str, payload: &Arc<str>) {
        now(self.io.to(*room).emit(EVENT, &**payload)).expect("channels have room");
    }

    fn publish_from(&self, sender: &Socket, room: &&'static str, payload: &Arc<str>) {
        now(sender.socket.to(*room).emit(EVENT, &**payload)).expect("channels have room");
    }

    fn drain(&self, socket: &mut Socket) -> Tally {
        let mut tally = Tally::default();
        while let Ok(packet) = socket.packets.try_recv() {
            let Packet::Message(text) = packet else { panic!("no other packet: {packet:?}") };
            // With an id before it, if an answer is wanted.
            let payload = text.find('[').expect("an event") + HEAD.len() - 1;
            tally.add(first_word(&text.as_bytes()[payload..]));
        }
        tally
    }

    /// Tasks are woken for less from where they run.
    fn within<T>(&self, calls: impl FnOnce() -> T) -> T {
        self.runtime.block_on(async { calls() })
    }

    fn settle(&self) {
        self.runtime.block_on(async {
            for _ in 0..self.turns {
                yield_now().await;
            }
        });
    }
}

impl ByName for Socketioxide {
    fn join_by_name(&self, socket: &mut Socket, room: &str) {
        socket.socket.join(room.to_owned());
    }

    fn leave_by_name(&self, socket: &mut Socket, room: &str) {
        socket.socket.leave(room.to_owned());
    }
}

impl Select for Socketioxide {
    type Target = (Vec<&'static str>, Vec<&'static str>);

    fn target(&self, to: &[&'static str], except: &[&'static str]) -> Self::Target {
        (to.to_vec(), except.to_vec())
    }

    fn publish_to(&self, (to, except): &Self::Target, payload: &Arc<str>) {
        now(self.io.to(to.clone()).except(except.clone()).emit(EVENT, &**payload))
            .expect("channels have room");
    }
}

impl Everyone for Socketioxide {
    fn publish_to_everyone(&self, payload: &Arc<str>) {
        now(self.io.emit(EVENT, &**payload)).expect("channels have room");
    }
}

impl Direct for Socketioxide {
    fn send(&self, socket: &Socket, payload: &Arc<str>) {
        socket.socket.emit(EVENT, &**payload).expect("channels have room");
    }
}

impl Ask for Socketioxide {
    type Answers = AckStream<()>;

    fn ask(&self, room: &&'static str, payload: &Arc<str>) -> AckStream<()> {
        now(self.io.to(*room).emit_with_ack(EVENT, &**payload)).expect("channels have room")
    }
}

/// The output of a future that waits for nothing, as those of an adapter in the same process.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it has to wait"),
    }
}
