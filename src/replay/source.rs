//! The blocks of a recording, one after the other, as far as they are whole. How a file is made up is in
//! `tape/sink.rs`.
//!
//! What a file may cost is bounded by what there is of it: a block is read as it comes, whatever length it claims.

use std::io::{self, Read};

use super::error::ReplayError;
use crate::tape::sink::{HEAD, checksum};
use crate::tape::wire::{Header, MAGIC, Wire};

pub(super) struct Source<R> {
    reader: R,
    /// Where the block begins, in bytes from the start.
    at: u64,
    /// The number of the next block.
    number: u64,
    block: Vec<u8>,
    /// Where the next input begins in it.
    place: usize,
    is_over: bool,
}

impl<R: Read> Source<R> {
    pub(super) fn open(mut reader: R) -> Result<Self, ReplayError> {
        let mut magic = [0; MAGIC.len()];
        let got = fill(&mut reader, &mut magic)?;
        let (name, version) = (&MAGIC[..MAGIC.len() - 1], MAGIC[MAGIC.len() - 1]);
        match &magic[..got] {
            magic if *magic == MAGIC => {}
            [start @ .., found] if start == name => {
                return Err(ReplayError::Version { found: *found, expected: version });
            }
            start if MAGIC.starts_with(start) => return Err(ReplayError::Truncated { at: 0 }),
            _ => return Err(ReplayError::NoRecording),
        }
        let at = MAGIC.len() as u64;
        let mut source = Self { reader, at, number: 0, block: Vec::new(), place: 0, is_over: false };
        if !source.next_block()? {
            return Err(ReplayError::Corrupt { at });
        }
        Ok(source)
    }

    /// What the first block holds.
    pub(super) fn header(&mut self) -> Result<Header<'_>, ReplayError> {
        self.place = self.block.len();
        postcard::from_bytes(&self.block).map_err(|_| ReplayError::Corrupt { at: MAGIC.len() as u64 })
    }

    /// Goes on to the next input, and tells whether there is one. [`input`](Self::input) returns it.
    pub(super) fn advance(&mut self) -> Result<bool, ReplayError> {
        while self.place == self.block.len() {
            if !self.next_block()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The input that comes next, which is passed over.
    pub(super) fn input(&mut self) -> Result<Wire<'_>, ReplayError> {
        let rest = &self.block[self.place..];
        match postcard::take_from_bytes(rest) {
            Ok((wire, rest)) => {
                self.place = self.block.len() - rest.len();
                Ok(wire)
            }
            Err(_) => Err(ReplayError::Corrupt { at: self.at }),
        }
    }

    /// Reads the next block, and tells whether there is one: there is none behind the one that ends all.
    fn next_block(&mut self) -> Result<bool, ReplayError> {
        if self.is_over {
            return Ok(false);
        }
        if self.number > 0 {
            self.at += (HEAD + self.block.len()) as u64;
        }
        let at = self.at;
        self.block.clear();
        self.place = 0;
        let mut head = [0; HEAD];
        if fill(&mut self.reader, &mut head)? < HEAD {
            return Err(ReplayError::Truncated { at });
        }
        let [len, check] =
            [&head[..4], &head[4..]].map(|half| <[u8; 4]>::try_from(half).expect("four bytes"));
        let bytes = u32::from_le_bytes(len);
        // It grows with what is there.
        let got = self.reader.by_ref().take(bytes.into()).read_to_end(&mut self.block)?;
        if got < bytes as usize {
            return Err(ReplayError::Truncated { at });
        }
        if u32::from_le_bytes(check) != checksum(self.number, len, &self.block) {
            return Err(ReplayError::Corrupt { at });
        }
        self.number += 1;
        self.is_over = bytes == 0;
        Ok(!self.is_over)
    }
}

/// Reads until the buffer is full, or there is no more, and returns how much there was.
fn fill(reader: &mut impl Read, mut buffer: &mut [u8]) -> io::Result<usize> {
    let len = buffer.len();
    while !buffer.is_empty() {
        match reader.read(buffer) {
            Ok(0) => break,
            Ok(bytes) => buffer = &mut buffer[bytes..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len - buffer.len())
}
