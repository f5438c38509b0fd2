//! How to write a transport of your own: length-prefixed frames over pairs of Unix sockets, a client at the other end of
//! each. Run it with `cargo run --example custom_transport`. A frame is its length (4 bytes, big-endian), a line of words,
//! and what the packet carries. Three of the four parts of a transport know that: reading, writing, and a codec for what
//! many clients get. The fourth is what the engine calls.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use roomcast::{ClientPacket, Codec, Connection, DisconnectReason, Engine, Handshake};
use roomcast::{Outbox, Payload, ReceiveError, ServerPacket, Transport};

const MAX_FRAME: usize = 64 * 1024; // from a client: decide that before there is a payload
const FULL: usize = 16 * 1024; // that much is written at once

/// Part 1: what the engine asks, and tells. Little, as the reader blocks in a read, and the writer waits by the outbox.
struct Line(UnixStream);

impl Transport for Line {
    fn handshake(&self) -> Handshake {
        Handshake::new().with("address", "the other end of a pair")
    }
    fn close(&self, _reason: &DisconnectReason) {
        let _ = self.0.shutdown(Shutdown::Read); // ends the reader; fails if the client was faster
    }
}

/// Serves one client until it goes: this thread reads, another one writes.
fn serve(engine: &Engine, stream: UnixStream) -> io::Result<()> {
    let (connection, outbox) = engine.connect(Line(stream.try_clone()?));
    let output = stream.try_clone()?;
    output.set_write_timeout(Some(std::time::Duration::from_secs(10)))?; // then it is lost, and its writer ends
    let writer = thread::spawn(move || write(outbox, output));
    let read = read(&connection, stream);
    connection.close(DisconnectReason::Transport); // does nothing if it is closed already
    writer.join().expect("no panic").and(read)
}

/// Part 2: brings in what the client sends, in its order. Handlers run in `receive`.
fn read(connection: &Connection, mut input: impl Read) -> io::Result<()> {
    while let Some(frame) = read_frame(&mut input)? {
        match connection.receive(decode(&frame).ok_or(ErrorKind::InvalidData)?) {
            Err(ReceiveError::Closed(_)) => break, // by the server
            received => received.map_err(io::Error::other)?,
        }
    }
    Ok(())
}

/// Part 3: sends what there is, a buffer full at a time. While a write blocks, what is emitted stays in the logs of the
/// rooms: a client that does not read costs the server this buffer and no more.
fn write(mut outbox: Outbox, mut output: UnixStream) -> io::Result<()> {
    let mut buffer = Vec::new();
    while outbox.closed().is_none() {
        outbox.wait(); // not at all, if the buffer was full
        let _ = outbox.try_drain(|packet| {
            buffer.extend(encode(packet));
            if buffer.len() < FULL { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        output.write_all(&buffer)?; // an error drops the outbox, which closes the connection
        buffer.clear();
    }
    output.shutdown(Shutdown::Write)
}

/// Part 4: what is the same for all who get a message, encoded once for all of them.
struct Frames;

impl Codec for Frames {
    type Encoded = Arc<[u8]>;
    fn encode(&self, event: &str, payload: &Payload) -> Arc<[u8]> {
        [event.as_bytes(), b"\n", payload.as_bytes().unwrap_or_default()].concat().into()
    }
}

fn encode(packet: ServerPacket<'_>) -> Vec<u8> {
    let path = packet.namespace();
    frame(&match packet {
        ServerPacket::Connect { id, .. } => format!("connect {path} {id}\n").into(),
        ServerPacket::ConnectError { message, .. } => format!("refuse {path}\n{message}").into(),
        ServerPacket::Event { delivery: it, .. } => {
            [format!("event {path} ").as_bytes(), &it.encoded(&Frames)].concat()
        }
        ServerPacket::Gap { gap, .. } => format!("gap {path} {}\n", gap.missed).into(),
        ServerPacket::Ack { id, payload, .. } => format!("ack {path} {id}\n{payload:?}").into(),
        ServerPacket::Disconnect { reason, .. } => format!("disconnect {path}\n{reason}").into(),
    })
}

fn decode(frame: &[u8]) -> Option<ClientPacket<'_>> {
    let end = frame.iter().position(|byte| *byte == b'\n')?;
    let (head, payload) = (std::str::from_utf8(&frame[..end]).ok()?, Payload::from(&frame[end + 1..]));
    Some(match head.split(' ').collect::<Vec<_>>()[..] {
        ["connect", namespace] => ClientPacket::Connect { namespace, auth: payload },
        ["event", namespace, event, id] => {
            ClientPacket::Event { namespace, event, payload, ack: id.parse().ok() }
        }
        ["disconnect", namespace] => ClientPacket::Disconnect { namespace },
        _ => return None, // `ClientPacket::Ack` neither: nothing here asks a client
    })
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes(), body].concat()
}

fn read_frame(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    let Ok(()) = input.read_exact(&mut length) else { return Ok(None) };
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length];
    input.read_exact(&mut frame).map(|()| Some(frame))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::new();
    let chat = engine.of("/chat")?;
    chat.on_connect(|socket| drop(socket.join("lobby")));
    chat.on_with_ack("say", |socket, words: Payload, ack| {
        drop((socket.to("lobby").emit("said", words), ack.send("told them")));
    })?;
    let (mut ann, mut bob) = (connect(&engine)?, connect(&engine)?);
    ann.write_all(&frame(b"event /chat say 7\nhello"))?;
    println!("ann: {}", tells(&mut ann)?); // ack /chat 7 ..
    println!("bob: {}", tells(&mut bob)?); // event /chat said hello
    engine.close();
    println!("bob: {}", tells(&mut bob)?); // disconnect /chat ..
    assert!(read_frame(&mut bob)?.is_none());
    Ok(())
}

/// A client of its own, which has connected to the chat.
fn connect(engine: &Engine) -> io::Result<UnixStream> {
    let ((mut client, server), engine) = (UnixStream::pair()?, engine.clone());
    thread::spawn(move || serve(&engine, server));
    client.write_all(&frame(b"connect /chat\n"))?;
    tells(&mut client).map(|_connect| client)
}

fn tells(client: &mut UnixStream) -> io::Result<String> {
    let frame = read_frame(client)?.ok_or(ErrorKind::UnexpectedEof)?;
    Ok(String::from_utf8_lossy(&frame).replace('\n', " "))
}
