//! Where the blocks of a recording go: to a writer of the user's, one at a time, in order.
//!
//! A file is [`MAGIC`](super::wire::MAGIC), then blocks. A block is its length, a checksum of that, of the block's number
//! and of its bytes, each a `u32` from the lowest byte up, and the bytes; the first holds the header, all others inputs,
//! one after the other. An empty one is the end. So what is cut off, changed, left out or moved is noticed, and up to
//! there everything is as it was written.

use std::io::{self, Write};

use crate::foreign::catch;

/// A writer, how much went to it, and what went wrong.
pub(crate) struct Sink<W: ?Sized> {
    /// The number of the next block.
    number: u64,
    pub(crate) bytes: u64,
    /// Nothing more is written after the first error.
    pub(crate) error: Option<io::Error>,
    pub(crate) writer: W,
}

/// A sink whose writer is of a type that the engine does not know.
pub(crate) trait Take: Send {
    /// Writes a block.
    fn take(&mut self, block: &[u8]);

    fn flush(&mut self);
}

/// How many bytes there are before those of a block.
pub(crate) const HEAD: usize = 8;

impl<W: Write> Sink<W> {
    pub(crate) fn new(writer: W) -> Self {
        Self { number: 0, bytes: 0, error: None, writer }
    }

    /// Writes what is no block.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.run(|writer| writer.write_all(bytes));
        self.bytes += bytes.len() as u64;
    }

    /// Calls the writer, unless it has failed. A panic in it is an error.
    fn run(&mut self, code: impl FnOnce(&mut W) -> io::Result<()>) {
        if self.error.is_some() {
            return;
        }
        let ran = catch(|| code(&mut self.writer));
        let panicked = |message: Box<str>| Err(io::Error::other(format!("the writer panicked: {message}")));
        self.error = ran.unwrap_or_else(panicked).err();
    }
}

impl<W: Write + Send> Take for Sink<W> {
    fn take(&mut self, block: &[u8]) {
        let len = (block.len() as u32).to_le_bytes();
        let check = checksum(self.number, len, block).to_le_bytes();
        self.number += 1;
        self.write(&len);
        self.write(&check);
        self.write(block);
    }

    fn flush(&mut self) {
        self.run(W::flush);
    }
}

/// The checksum of a block.
pub(crate) fn checksum(number: u64, len: [u8; 4], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(&len);
    hasher.update(bytes);
    hasher.finalize()
}
