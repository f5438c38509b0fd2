//! HTTP/1.1, as much of it as it takes to ask and to be refused.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{connect, is_end};

/// A connection over which anything can be sent.
#[derive(Debug)]
pub(crate) struct Http {
    stream: BufReader<TcpStream>,
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Http {
    pub(crate) fn open(address: SocketAddr, patience: Duration) -> Self {
        Self { stream: BufReader::new(connect(address, patience)) }
    }

    /// Sends bytes. Returns whether the server still took them.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        match self.stream.get_mut().write_all(bytes.as_ref()) {
            Ok(()) => true,
            Err(error) if is_end(&error) => false,
            Err(error) => panic!("the server neither reads nor closes: {error}"),
        }
    }

    /// Waits for the answer. `None` if the server closed the connection without one.
    pub(crate) fn response(&mut self) -> Option<Response> {
        match self.read_response() {
            Ok(response) => Some(response),
            Err(error) if is_end(&error) => None,
            Err(error) => panic!("the server neither answers nor closes: {error}"),
        }
    }

    /// Gives the connection away, with nothing read beyond the last answer.
    pub(crate) fn into_stream(self) -> BufReader<TcpStream> {
        self.stream
    }

    /// Waits for the status alone, for answers whose body is left out.
    pub(crate) fn status(&mut self) -> Option<u16> {
        match self.read_status() {
            Ok(status) => Some(status),
            Err(error) if is_end(&error) => None,
            Err(error) => panic!("the server neither answers nor closes: {error}"),
        }
    }

    fn read_response(&mut self) -> io::Result<Response> {
        let status = self.read_status()?;
        let (mut length, mut is_chunked) = (None, false);
        loop {
            let line = self.read_line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok(),
                "transfer-encoding" => is_chunked = value.trim().eq_ignore_ascii_case("chunked"),
                _ => {}
            }
        }
        let body = match length {
            _ if status == 101 => Vec::new(),
            _ if is_chunked => self.read_chunks()?,
            Some(length) => self.read_exactly(length)?,
            None => self.read_rest()?,
        };
        Ok(Response { status, body })
    }

    fn read_status(&mut self) -> io::Result<u16> {
        let line = self.read_line()?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok(status.unwrap_or_else(|| panic!("not a status line: {line:?}")))
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    fn read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let length =
                usize::from_str_radix(&self.read_line()?, 16).expect("a chunk starts with its length");
            body.extend(self.read_exactly(length)?);
            self.read_line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    fn read_rest(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        self.stream.read_to_end(&mut body)?;
        Ok(body)
    }
}

impl Response {
    /// Returns the body, which is text in everything that a server of these protocols answers.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the server answers in UTF-8")
    }
}
