//! Who is here: a lobby in which users come and go, some of them in several tabs, and everybody sees who is there. Run it
//! with `cargo run --example presence`.
//!
//! A user is present once, however many tabs there are; each tab says what it is doing. What changes is told once a tick to
//! all who watch, as one difference; who comes and goes between two ticks is not told of. A display at the door is told
//! the number of users and nothing else.
//!
//! Chance has a seed: each run is the same.

use std::error::Error;
use std::time::Duration;

use roomcast::{
    Engine, Inbox, Namespace, PRESENCE_COUNT, PRESENCE_DIFF, PRESENCE_STATE, Presence, PresenceState, Shared,
    Socket,
};

const USERS: [&str; 12] =
    ["ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal", "ivy", "joe", "kim", "lea"];
const DOING: [&str; 3] = ["reading", "typing", "away"];
const TICKS: u64 = 100;

/// A tab of a user: a socket that is in the lobby and watches.
struct Tab {
    user: &'static str,
    socket: Socket,
    inbox: Inbox,
    /// Who is there, as far as it was told.
    here: Option<PresenceState>,
}

#[derive(Default)]
struct Counts {
    came: usize,
    went: usize,
    diffs: usize,
    told: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::new();
    let chat = engine.of("/chat")?;
    let presence = Presence::new(&chat.room("lobby")?);
    let (door, mut display) = chat.connect(); // not in the lobby, nor present
    presence.watch_count(&door)?;

    let (mut tabs, mut counts, mut shown, mut chance) = (Vec::<Tab>::new(), Counts::default(), 0, 1);
    for tick in 1..=TICKS {
        for _ in 0..1 + random(&mut chance, 5) {
            match random(&mut chance, 3) {
                0 | 1 if tabs.len() < 30 => {
                    tabs.push(Tab::open(&chat, &presence, USERS[random(&mut chance, USERS.len())])?);
                    counts.came += 1;
                }
                _ if !tabs.is_empty() => {
                    // Its inbox is dropped: that is a line that broke. It is out of the lobby, and present no more.
                    tabs.swap_remove(random(&mut chance, tabs.len()));
                    counts.went += 1;
                }
                _ => {}
            }
        }
        for tab in &tabs {
            if random(&mut chance, 4) == 0 {
                presence.update(&tab.socket, DOING[random(&mut chance, DOING.len())])?;
            }
        }
        engine.tick(Duration::from_millis(16 * tick));

        for tab in &mut tabs {
            tab.read(&mut counts);
            // All see the same, and what is so.
            let here = tab.here.as_ref().expect("it was told when it began to watch");
            assert_eq!(here.entries(), presence.list());
        }
        display.drain(|delivery| {
            let Some(Ok(Shared(count))) = delivery.get_as(PRESENCE_COUNT) else { return };
            shown = count.keys;
        });
        assert_eq!(shown, presence.count());
        if tick % 20 == 0 {
            println!("tick {tick:3}: the display says {shown} users; there are {} tabs", tabs.len());
        }
    }
    let Counts { came, went, diffs, told } = counts;
    println!("{came} tabs were opened and {went} closed; {diffs} differences were read, with {told} entries");
    for user in USERS {
        let doing: Vec<_> =
            presence.get(user).into_iter().filter_map(|tab| Some(tab.meta.as_str()?.to_owned())).collect();
        if !doing.is_empty() {
            println!("  {user}: {}", doing.join(", "));
        }
    }
    Ok(())
}

impl Tab {
    fn open(chat: &Namespace, presence: &Presence, user: &'static str) -> Result<Self, Box<dyn Error>> {
        let (socket, inbox) = chat.connect();
        socket.join("lobby")?;
        presence.track(&socket, user, DOING[0])?;
        presence.watch(&socket)?;
        Ok(Self { user, socket, inbox, here: None })
    }

    fn read(&mut self, counts: &mut Counts) {
        let Self { user, inbox, here, .. } = self;
        inbox.drain(|delivery| {
            if let Some(Ok(Shared(state))) = delivery.get_as(PRESENCE_STATE) {
                *here = Some(PresenceState::clone(&state));
            } else if let Some(Ok(Shared(diff))) = delivery.get_as(PRESENCE_DIFF) {
                let here = here.as_mut().expect("the state comes first");
                assert!(here.apply(&diff), "{user} has lost a difference");
                counts.diffs += 1;
                counts.told += diff.joins.len() + diff.leaves.len() + diff.updates.len();
            }
        });
    }
}

/// A number below `limit`.
fn random(chance: &mut u64, limit: usize) -> usize {
    *chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*chance >> 33) as usize % limit
}
