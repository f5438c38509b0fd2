//! Files of recordings: whatever is in them, a replay ends, and says why.

use roomcast::{Engine, Replay, ReplayError};

/// How many bytes there are before the first block.
const NAME: usize = 16;

/// Replays the bytes as a file, and as what stands in a file whose checksums are right.
pub fn recordings(data: &[u8]) {
    replay(data);
    // The last byte says where a block ends and the next begins.
    let cut = data.last().map_or(0, |byte| usize::from(*byte)).min(data.len());
    let mut file = empty();
    let end = file.split_off(file.len() - 8);
    for (number, bytes) in (1..).zip([&data[..cut], &data[cut..]]) {
        if !bytes.is_empty() {
            push(&mut file, number, bytes);
        }
    }
    replay(&[file, end].concat());
}

/// Replays to the end, with the reads that are in it and without, and reads what is left.
fn replay(file: &[u8]) {
    for ignores in [false, true] {
        let Ok(replay) = Replay::open(file) else { return };
        let mut replay = if ignores { replay.ignore_reads() } else { replay };
        let mut sockets = Vec::new();
        let ended = loop {
            match replay.step(|socket, _| sockets.push(socket)) {
                Ok(Some(input)) => {
                    let words = input.to_string();
                    assert!(!words.is_empty(), "{input:?}");
                    if let roomcast::Input::Connecting { socket, .. } = input {
                        sockets.push(socket);
                    }
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        if let Some(ReplayError::Io(error)) = ended {
            panic!("bytes in memory cannot fail to be read: {error}");
        }
        for socket in sockets {
            if let Some(inbox) = replay.inbox(socket) {
                inbox.drain(|delivery| _ = delivery.event().len());
            }
        }
        assert!(replay.step(|_, _| {}).is_ok_and(|input| input.is_none()), "there is nothing after the end");
    }
}

/// The file of an engine that nothing was done with.
fn empty() -> Vec<u8> {
    let recording = Engine::new().record(Vec::new()).expect("it is new");
    recording.finish().expect("memory can be written to")
}

/// Adds a block, as `src/tape/sink.rs` says what one is.
fn push(file: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    debug_assert!(file.len() > NAME);
    let len = (bytes.len() as u32).to_le_bytes();
    let mut hasher = crc32fast::Hasher::new();
    [&number.to_le_bytes()[..], &len, bytes].into_iter().for_each(|part| hasher.update(part));
    file.extend(len);
    file.extend(hasher.finalize().to_le_bytes());
    file.extend(bytes);
}
