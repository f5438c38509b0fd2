//! WebSocket frames, right and wrong ones.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::http::Http;
use super::is_end;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A WebSocket connection.
#[derive(Debug)]
pub(crate) struct WebSocket {
    stream: BufReader<TcpStream>,
    /// How long the server may take to do what it has to.
    patience: Duration,
}

/// A frame to be sent. Well-formed at first; its methods spoil it.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    first: u8,
    is_masked: bool,
    announced: u64,
    payload: Vec<u8>,
}

/// What the server sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(String),
    Binary(Vec<u8>),
    /// A close frame or the end of the stream.
    Closed,
}

impl WebSocket {
    /// Connects, or returns the status with which the server refused.
    pub(crate) fn open(address: SocketAddr, target: &str, patience: Duration) -> Result<Self, Option<u16>> {
        let mut http = Http::open(address, patience);
        http.send(format!(
            "GET {target} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ));
        match http.response().map(|response| response.status) {
            Some(101) => Ok(Self { stream: http.into_stream(), patience }),
            refused => Err(refused),
        }
    }

    /// Connects, and opens a session at a path such as `/socket.io/`.
    pub(crate) fn session(address: SocketAddr, path: &str, patience: Duration) -> Self {
        let mut socket = Self::open(address, &format!("{path}?EIO=4&transport=websocket"), patience).unwrap();
        let Incoming::Text(open) = socket.next() else { panic!("no open packet") };
        assert!(open.starts_with("0{"), "{open}");
        socket
    }

    /// Opens a session, and connects it to the main namespace of the conformance mode.
    pub(crate) fn connected(address: SocketAddr, patience: Duration) -> Self {
        let mut socket = Self::session(address, "/socket.io/", patience);
        socket.send(&Frame::text("40"));
        assert!(matches!(socket.next(), Incoming::Text(packet) if packet.starts_with("40{")));
        assert_eq!(socket.next(), Incoming::Text("42[\"auth\",{}]".to_owned()));
        socket
    }

    /// Sends a frame. Returns whether the server still took it.
    pub(crate) fn send(&mut self, frame: &Frame) -> bool {
        self.send_bytes(&frame.encode())
    }

    /// Sends bytes. Returns whether the server still took them.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        match self.stream.get_mut().write_all(bytes) {
            Ok(()) => true,
            Err(error) if is_end(&error) => false,
            Err(error) => panic!("the server neither reads nor closes: {error}"),
        }
    }

    /// Waits for the next packet of the server, whose frames are never masked or fragmented.
    pub(crate) fn next(&mut self) -> Incoming {
        match self.read_frame() {
            Ok(incoming) => incoming,
            Err(error) if is_end(&error) => Incoming::Closed,
            Err(error) => panic!("the server neither sends nor closes: {error}"),
        }
    }

    /// Waits for a packet that is text and is so, and passes over others. `None` if the session ends without it.
    pub(crate) fn next_where(&mut self, is_so: impl Fn(&str) -> bool) -> Option<String> {
        let start = Instant::now();
        loop {
            match self.next() {
                Incoming::Text(packet) if is_so(&packet) => return Some(packet),
                Incoming::Closed => return None,
                _ => assert!(
                    start.elapsed() < self.patience,
                    "the server goes on, and neither sends it nor closes"
                ),
            }
        }
    }

    /// Waits for the end of the session, and answers nothing.
    pub(crate) fn assert_ends(&mut self) {
        assert_eq!(self.next_where(|_| false), None);
    }

    /// A second handle on the connection, to write from another thread.
    pub(crate) fn writer(&self) -> TcpStream {
        self.stream.get_ref().try_clone().unwrap()
    }

    fn read_frame(&mut self) -> io::Result<Incoming> {
        loop {
            let mut head = [0; 2];
            self.stream.read_exact(&mut head)?;
            let length = match head[1] {
                126 => u64::from(u16::from_be_bytes(self.read_array()?)),
                127 => u64::from_be_bytes(self.read_array()?),
                length => u64::from(length),
            };
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.stream.read_exact(&mut payload)?;
            return Ok(match head[0] {
                0x81 => Incoming::Text(String::from_utf8(payload).expect("the server sends UTF-8")),
                0x82 => Incoming::Binary(payload),
                0x88 => Incoming::Closed,
                0x8a => continue, // the answer to a ping
                other => panic!("the server sent a frame that starts with {other:#x}"),
            });
        }
    }

    fn read_array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Frame {
    pub(crate) fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        let payload = payload.into();
        Self { first: 0x80 | opcode, is_masked: true, announced: payload.len() as u64, payload }
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::new(1, text.into())
    }

    pub(crate) fn binary(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(2, bytes)
    }

    /// Says that more fragments follow.
    pub(crate) fn unfinished(mut self) -> Self {
        self.first &= 0x7f;
        self
    }

    pub(crate) fn unmasked(mut self) -> Self {
        self.is_masked = false;
        self
    }

    pub(crate) fn reserved(mut self, bits: u8) -> Self {
        self.first |= bits;
        self
    }

    /// Announces another length than it has.
    pub(crate) fn announcing(mut self, length: u64) -> Self {
        self.announced = length;
        self
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mask_bit = if self.is_masked { 0x80 } else { 0 };
        let mut bytes = vec![self.first];
        match self.announced {
            length @ 0..=125 => bytes.push(mask_bit | length as u8),
            length @ 126..=0xffff => {
                bytes.push(mask_bit | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            length => {
                bytes.push(mask_bit | 127);
                bytes.extend(length.to_be_bytes());
            }
        }
        if self.is_masked {
            bytes.extend(MASK);
            bytes.extend(self.payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        } else {
            bytes.extend(&self.payload);
        }
        bytes
    }
}
