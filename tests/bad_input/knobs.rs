//! Settings at their edges and beyond: a new one is a row.

use roomcast::{Backlog, ConfigError, Engine, EngineBuilder};

use crate::{Case, case};

struct Knob {
    name: &'static str,
    set: fn(usize) -> Result<EngineBuilder, ConfigError>,
    good: &'static [usize],
    bad: &'static [usize],
}

const MAX: usize = usize::MAX;

const KNOBS: [Knob; 14] = [
    Knob { name: "shards", set: |n| Engine::builder().shards(n), good: &[1, 4096], bad: &[0, 3, 8192, MAX] },
    Knob {
        name: "event_names",
        set: |n| Engine::builder().event_names(n),
        good: &[0, 131_040],
        bad: &[131_041, MAX],
    },
    Knob {
        name: "max_name_bytes",
        set: |n| Engine::builder().max_name_bytes(n),
        good: &[1, 65_536],
        bad: &[0, 65_537, MAX],
    },
    Knob {
        name: "membership_backlog",
        set: |n| Engine::builder().membership_backlog(n),
        good: &[2, MAX],
        bad: &[0, 1],
    },
    Knob { name: "inbound_queue", set: |n| Engine::builder().inbound_queue(n), good: &[1, MAX], bad: &[0] },
    Knob { name: "max_namespaces", set: |n| Engine::builder().max_namespaces(n), good: &[1, MAX], bad: &[0] },
    Knob { name: "max_sockets", set: |n| Engine::builder().max_sockets(n), good: &[1, MAX], bad: &[0] },
    Knob { name: "max_rooms", set: |n| Ok(Engine::builder().max_rooms(n)), good: &[2, MAX], bad: &[] },
    Knob {
        name: "max_rooms_per_socket",
        set: |n| Ok(Engine::builder().max_rooms_per_socket(n)),
        good: &[2, MAX],
        bad: &[],
    },
    Knob {
        name: "max_pending_acks",
        set: |n| Ok(Engine::builder().max_pending_acks(n)),
        good: &[0, MAX],
        bad: &[],
    },
    Knob {
        name: "max_payload_bytes",
        set: |n| Ok(Engine::builder().max_payload_bytes(n)),
        good: &[0, MAX],
        bad: &[],
    },
    Knob {
        name: "volatile_backlog",
        set: |n| Ok(Engine::builder().volatile_backlog(n.try_into().unwrap())),
        good: &[0, u32::MAX as usize],
        bad: &[],
    },
    Knob {
        name: "messages",
        set: |n| Ok(Engine::builder().backlog(Backlog::new().messages(n)?)),
        good: &[1, 1 << 32],
        bad: &[0, (1 << 32) + 1, MAX],
    },
    Knob {
        name: "bytes",
        set: |n| Ok(Engine::builder().backlog(Backlog::new().bytes(n)?)),
        good: &[1, 1 << 48],
        bad: &[0, (1 << 48) + 1, MAX],
    },
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for Knob { name, set, good, bad } in KNOBS {
        for &value in bad {
            let named = Some((name.to_owned(), true));
            cases.push(case(format!("{name} of {value}"), named, move |_| {
                let error = set(value).err()?;
                Some((
                    error.setting().to_owned(),
                    error.to_string().starts_with(&format!("`{name}` must be")),
                ))
            }));
        }
        for &value in good {
            cases.push(case(format!("{name} of {value}"), Ok(2), move |_| {
                Ok::<_, ConfigError>(used(&set(value)?.build()))
            }));
        }
    }
    cases
}

/// Uses an engine a little, and returns how many messages came.
fn used(engine: &Engine) -> usize {
    let namespace = engine.of("/knobs").unwrap();
    let (socket, mut inbox) = namespace.connect();
    socket.join(["a", "b"]).unwrap();
    namespace.to(["a", "b"]).emit("n", "").unwrap();
    socket.emit("n", "").unwrap();
    inbox.drain(|_| {})
}
