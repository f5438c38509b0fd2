//! Hostile clients: whatever they send, they get a clear error or close in time, everybody else is served, and
//! nothing is left of them.
#![cfg(target_os = "linux")] // a server's memory and descriptors are read from /proc

#[path = "../common/mod.rs"]
mod common;

mod bodies;
mod chat;
mod floods;
mod frames;
mod packets;
mod requests;
mod sessions;
mod silence;

use common::server::Server;
use common::well_behaved::Mode;

/// How much more memory a server may have after a round of attacks than after the one before. What an allocator
/// keeps is within it, what a round leaves behind many times is not.
const MAY_GROW: u64 = 2 << 20;

/// Long enough that no heartbeat closes anything, so that every close is for what was sent.
const PATIENT: [&str; 6] = ["--ping-interval", "10000", "--ping-timeout", "5000", "--max-payload", "200000"];
const MAX_PAYLOAD: usize = 200_000;

/// So short that silence is noticed in half a second.
const IMPATIENT: [&str; 6] = ["--ping-interval", "300", "--ping-timeout", "200", "--connect-timeout", "600"];

/// How many rounds there are until one leaves nothing behind. An allocator grows now and then; a leak, each time.
const ROUNDS: usize = 8;

/// Runs rounds of attacks on a server. The first warms it up, and one that follows is to leave nothing behind: as a
/// rule the second.
fn attack(arguments: &[&str], round: impl Fn(&Server)) {
    attack_in(Mode::Conformance, arguments, round);
}

fn attack_in(mode: Mode, arguments: &[&str], round: impl Fn(&Server)) {
    let mut server = Server::start(mode, arguments);
    let mut after_round = || {
        round(&server);
        server.assert_unharmed();
        server.settle()
    };
    let mut sizes = vec![after_round()];
    while sizes.len() < ROUNDS {
        sizes.push(after_round());
        if let [.., before, after] = sizes[..] {
            if after <= before + MAY_GROW {
                return;
            }
        }
    }
    panic!("the server grows with each round: {sizes:?} bytes");
}

/// What came of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The session is over.
    Ends,
    /// It was nothing bad, and the session goes on.
    Serves,
}

use Outcome::{Ends, Serves};
