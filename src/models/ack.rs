//! Acknowledgements: whoever resolves a recipient, and whoever ends the waiting, is one.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use loom::sync::Notify;
use loom::thread;

use super::{Token, all, explore};
use crate::ack::answers::Answers;
use crate::ack::table::AckTable;
use crate::ack::{Ack, Acks};
use crate::clock::Clock;
use crate::error::AckError;
use crate::payload::Payload;
use crate::reason::DisconnectReason;
use crate::slab::SocketId;
use crate::sync::{AtomicUsize, Ordering};

const LATER: Duration = Duration::from_secs(1);

/// A table and a clock. Not loom's `Arc`: they are held weakly.
#[derive(Clone)]
struct Rig {
    table: Arc<AckTable>,
    clock: Arc<Clock>,
}

impl Rig {
    fn new() -> Self {
        Self { table: Arc::new(AckTable::new(usize::MAX)), clock: Arc::new(Clock::new()) }
    }

    fn open(&self) -> Acks {
        Acks::open(&self.table, &self.clock).unwrap()
    }

    fn sent_to(&self, sockets: &[u64]) -> Acks {
        let acks = self.open();
        acks.sent_to(sockets.iter().map(|&number| socket(number)).collect::<Vec<_>>().into());
        acks
    }

    fn answer(&self, id: u64, from: u64) -> bool {
        let payload = Payload::from(Arc::new(Token::new(from)));
        self.table.answer(id, socket(from), payload)
    }

    fn gone(&self, number: u64) {
        self.table.gone(socket(number), &DisconnectReason::Client);
    }

    fn assert_idle(&self) {
        assert_eq!((self.table.len(), self.clock.len()), (0, 0));
        assert_eq!(Arc::strong_count(&self.table), 1);
    }
}

fn socket(number: u64) -> SocketId {
    SocketId::from_bits(1 << 32 | number).unwrap()
}

/// By recipient, lowest first: `A`nswered, `G`one, `T`imed out.
fn fates(answers: &Answers) -> String {
    let mut all: Vec<_> = answers.iter().collect();
    all.sort_by_key(|(socket, _)| *socket);
    assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0), "each is resolved once");
    let fate = |answer: &Result<Payload, AckError>| match answer {
        Ok(_) => 'A',
        Err(AckError::TimedOut) => 'T',
        Err(AckError::Disconnected(_)) => 'G',
    };
    all.iter().map(|(_, answer)| fate(answer)).collect()
}

/// Leaves a callback, and returns what it is called with, each time.
fn listen(acks: Acks) -> Arc<Mutex<Vec<String>>> {
    let told = Arc::<Mutex<Vec<String>>>::default();
    acks.on_done({
        let told = Arc::clone(&told);
        move |answers| told.lock().unwrap().push(fates(&answers))
    });
    told
}

/// What the callback was called with, once.
fn only(told: &Mutex<Vec<String>>) -> String {
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1, "done once: {told:?}");
    told[0].clone()
}

#[test]
fn an_answer_counts_or_the_time_is_over() {
    let outcomes = explore("answers against a tick", 200, || {
        let rig = Rig::new();
        let acks = rig.sent_to(&[1, 2]).timeout(LATER);
        let id = acks.id();
        let told = listen(acks);
        let others = [1, 2].map(|number| {
            let rig = rig.clone();
            thread::spawn(move || rig.answer(id, number))
        });
        rig.clock.tick(LATER);
        let is_taken = others.map(|other| other.join().unwrap());
        let expected: String = is_taken.map(|is_taken| if is_taken { 'A' } else { 'T' }).iter().collect();
        assert_eq!(only(&told), expected);
        rig.assert_idle();
        expected
    });
    assert_eq!(outcomes, all(["AA", "AT", "TA", "TT"].map(String::from)));
}

#[test]
fn a_recipient_that_goes_is_not_waited_for() {
    let outcomes = explore("gone and answer against the list", 300, || {
        let rig = Rig::new();
        let acks = rig.open();
        let id = acks.id();
        let leaver = thread::spawn({
            let rig = rig.clone();
            move || rig.gone(1)
        });
        let answerer = thread::spawn({
            let rig = rig.clone();
            move || rig.answer(id, 1)
        });
        acks.sent_to(vec![socket(1)].into());
        let is_done_at_once = acks.is_done();
        let told = listen(acks);
        leaver.join().unwrap();
        let is_taken = answerer.join().unwrap();
        assert_eq!(only(&told), if is_taken { "A" } else { "G" });
        rig.assert_idle();
        (is_done_at_once, is_taken)
    });
    assert_eq!(outcomes, all([(false, false), (false, true), (true, false), (true, true)]));
}

#[test]
fn an_answer_before_the_list_is_kept_and_a_strangers_is_not() {
    let outcomes = explore("answer and a stranger's against the list", 300, || {
        let rig = Rig::new();
        let acks = rig.open();
        let id = acks.id();
        let others = [1, 9].map(|number| {
            let rig = rig.clone();
            thread::spawn(move || rig.answer(id, number))
        });
        acks.sent_to(vec![socket(1)].into());
        let is_early = acks.is_done();
        let told = listen(acks);
        let is_taken = others.map(|other| other.join().unwrap());
        assert!(is_taken[0]);
        assert_eq!(only(&told), "A");
        rig.assert_idle();
        (is_early, is_taken[1])
    });
    assert_eq!(outcomes, all([(false, false), (false, true), (true, false), (true, true)]));
}

#[test]
fn a_task_that_waits_is_woken() {
    struct Bell(Notify, AtomicUsize);
    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.notify();
        }
    }
    let outcomes = explore("poll against answer and gone", 500, || {
        let rig = Rig::new();
        let mut acks = rig.sent_to(&[1, 2]);
        let id = acks.id();
        let others = [
            thread::spawn({
                let rig = rig.clone();
                move || _ = rig.answer(id, 1)
            }),
            thread::spawn({
                let rig = rig.clone();
                move || rig.gone(2)
            }),
        ];
        let bell = Arc::new(Bell(Notify::new(), AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&bell));
        let answers = loop {
            match Pin::new(&mut acks).poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(answers) => break answers,
                Poll::Pending => bell.0.wait(),
            }
        };
        assert_eq!(fates(&answers), "AG");
        for other in others {
            other.join().unwrap();
        }
        drop(acks);
        rig.assert_idle();
        bell.1.load(Ordering::Relaxed)
    });
    assert_eq!(outcomes, all([0, 1]));
}

#[test]
fn a_handle_that_is_dropped_leaves_nothing() {
    let outcomes = explore("drop against answer and tick", 250, || {
        let rig = Rig::new();
        let ack = Ack::open(&rig.table, &rig.clock, socket(1)).unwrap();
        ack.sent();
        let ack = ack.timeout(LATER);
        let id = ack.id();
        let answerer = thread::spawn({
            let rig = rig.clone();
            move || rig.answer(id, 1)
        });
        let ticker = thread::spawn({
            let rig = rig.clone();
            move || rig.clock.tick(LATER)
        });
        let was_done = ack.is_done();
        drop(ack);
        let is_taken = answerer.join().unwrap();
        ticker.join().unwrap();
        rig.assert_idle();
        (was_done, is_taken)
    });
    assert_eq!(outcomes, all([(false, false), (false, true), (true, false), (true, true)]));
}

#[test]
fn a_timeout_set_late_is_over_once_and_leaves_no_timer() {
    let outcomes = explore("timeout against answer and tick", 300, || {
        let rig = Rig::new();
        let acks = rig.sent_to(&[1]);
        let id = acks.id();
        let answerer = thread::spawn({
            let rig = rig.clone();
            move || rig.answer(id, 1)
        });
        let ticker = thread::spawn({
            let rig = rig.clone();
            move || rig.clock.tick(LATER)
        });
        let told = listen(acks.timeout(LATER));
        let is_taken = answerer.join().unwrap();
        ticker.join().unwrap();
        assert!(told.lock().unwrap().is_empty() || rig.clock.len() == 0);
        // A tick that came before the timeout was set does not end it.
        rig.clock.tick(LATER * 2);
        assert_eq!(only(&told), if is_taken { "A" } else { "T" });
        rig.assert_idle();
        is_taken
    });
    assert_eq!(outcomes, all([false, true]));
}
