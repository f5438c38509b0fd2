//! Code that acts and may panic, and what becomes of its panics.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Once, Weak};
use std::task::Wake;
use std::thread;

use crate::world::World;

/// What is done somewhere.
pub(crate) type Act = fn(&Arc<World>);

/// The message of its panic.
pub(crate) const ON_PURPOSE: &str = "on purpose";
/// That of one that is there for it to be sprung in.
pub(crate) const ANOTHER: &str = "another";

/// Code of the user's: acts, and panics if it is to.
#[derive(Clone)]
pub(crate) struct Trap {
    world: Weak<World>,
    act: Act,
    manner: Manner,
}

/// How it acts.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manner {
    /// Has another thread act, and waits for that: nothing that it needs is locked here.
    pub(crate) by_another: bool,
    /// Panics then.
    pub(crate) panics: bool,
}

impl Trap {
    pub(crate) fn new(world: &Arc<World>, act: Act, manner: Manner) -> Self {
        Self { world: Arc::downgrade(world), act, manner }
    }

    /// Does it, the first time: an action that makes itself run again would go on for ever.
    pub(crate) fn spring(&self) {
        let Some(world) = self.world.upgrade() else { return };
        if world.runs.fetch_add(1, Ordering::SeqCst) > 0 {
            return;
        }
        let act = self.act;
        if self.manner.by_another {
            let world = Arc::clone(&world);
            thread::spawn(move || act(&world)).join().expect("no panic there");
        } else {
            act(&world);
        }
        assert!(!self.manner.panics, "{ON_PURPOSE}");
    }
}

impl Wake for Trap {
    fn wake(self: Arc<Self>) {
        self.spring();
    }
}

/// A value that springs it when it is dropped.
pub(crate) struct OnDrop(pub(crate) Trap);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.spring();
    }
}

/// A waker of no effect, until it is dropped.
impl Wake for OnDrop {
    fn wake(self: Arc<Self>) {}
}

thread_local! {
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static IN_HOOK: RefCell<Option<Trap>> = const { RefCell::new(None) };
}

/// Has the trap sprung in the process's panic hook, by a panic of [`ANOTHER`] in this thread.
#[cfg(panic = "unwind")]
pub(crate) fn spring_in_hook(trap: &Trap) {
    IN_HOOK.set(Some(trap.clone()));
}

/// Has the panics of this test program noted, for the thread that they are in; those on purpose are not printed.
pub(crate) fn watch_panics() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |panic| {
            let thrown = panic.payload();
            let text = thrown.downcast_ref::<&str>().copied();
            let message = text
                .or_else(|| thrown.downcast_ref::<String>().map(String::as_str))
                .unwrap_or("?")
                .to_owned();
            if message == ANOTHER {
                return IN_HOOK.take().iter().for_each(Trap::spring);
            }
            if message != ON_PURPOSE {
                print(panic);
            }
            PANICS.with_borrow_mut(|panics| panics.push(message));
        }));
    });
}

/// Takes what panicked in this thread, whoever has caught it.
pub(crate) fn panics() -> Vec<String> {
    PANICS.take()
}

/// Whether it panics.
pub(crate) fn caught(code: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(code)).is_err()
}
