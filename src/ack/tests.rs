use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::task::{Wake, Waker};
use std::thread;

use super::*;
use crate::reason::DisconnectReason;
use crate::sync::Mutex;

const SECOND: Duration = Duration::from_secs(1);
const SERVER: DisconnectReason = DisconnectReason::Server;
const LIMIT: usize = 10;

/// A table, a clock, and sockets by number.
struct Rig {
    table: Arc<AckTable>,
    clock: Arc<Clock>,
}

impl Rig {
    fn new() -> Self {
        Self { table: Arc::new(AckTable::new(LIMIT)), clock: Arc::new(Clock::new()) }
    }

    fn open(&self) -> Acks {
        Acks::open(&self.table, &self.clock).unwrap()
    }

    fn sent_to(&self, sockets: &[u64]) -> Acks {
        let acks = self.open();
        acks.sent_to(sockets.iter().map(|&number| socket(number)).collect::<Vec<_>>().into());
        acks
    }

    fn sent(&self, number: u64) -> Ack {
        let ack = Ack::open(&self.table, &self.clock, socket(number)).unwrap();
        ack.sent();
        ack
    }

    fn answer(&self, id: u64, from: u64, text: &str) -> bool {
        self.table.answer(id, socket(from), Payload::from(text))
    }

    fn gone(&self, number: u64) {
        self.table.gone(socket(number), &SERVER);
    }

    fn assert_idle(&self) {
        assert_eq!((self.table.len(), self.clock.len()), (0, 0));
        assert_eq!((Arc::strong_count(&self.table), Arc::strong_count(&self.clock)), (1, 1));
    }
}

fn socket(number: u64) -> SocketId {
    SocketId::from_bits(1 << 32 | number).unwrap()
}

/// Answers as `1:text`, and what is missing as `2-timeout` or `2-gone`.
fn shown(answers: &Answers) -> String {
    let each = answers.iter().map(|(socket, answer)| {
        let number = socket.to_bits() & 0xFFFF_FFFF;
        match answer {
            Ok(payload) => format!("{number}:{}", payload.as_str().unwrap()),
            Err(AckError::TimedOut) => format!("{number}-timeout"),
            Err(AckError::Disconnected(reason)) => {
                assert_eq!(reason, &SERVER);
                format!("{number}-gone")
            }
        }
    });
    each.collect::<Vec<_>>().join(" ")
}

/// Leaves a callback, and returns what it is called with, each time.
fn listen(acks: Acks) -> Receiver<String> {
    let (told, answers) = channel();
    acks.on_done(move |answers| told.send(shown(&answers)).unwrap());
    answers
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Wakes {
    fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::<Self>::default();
        (Arc::clone(&wakes), Waker::from(wakes))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// A payload whose value is counted by its `Arc`.
fn counted() -> (Arc<()>, Payload) {
    let value = Arc::new(());
    let payload = Payload::from(Arc::clone(&value));
    (value, payload)
}

#[test]
fn answers_are_listed_as_they_came_and_then_those_missing_as_sent() {
    let rig = Rig::new();
    let acks = rig.sent_to(&[5, 4, 3, 2, 1]);
    assert_eq!((acks.answered(), acks.expected(), acks.is_done()), (0, 5, false));
    assert!(rig.answer(acks.id(), 2, "b"));
    rig.gone(4);
    assert!(rig.answer(acks.id(), 5, "e"));
    assert_eq!((acks.answered(), acks.expected(), acks.is_done()), (2, 5, false));
    let answers = acks.cancel();
    assert_eq!(shown(&answers), "2:b 5:e 4-gone 3-timeout 1-timeout");
    rig.assert_idle();

    assert_eq!((answers.len(), answers.is_empty(), answers.is_complete()), (5, false, false));
    let answered = answers.answered().map(|(id, payload)| (id, payload.as_str().unwrap()));
    assert_eq!(answered.collect::<Vec<_>>(), [(socket(2), "b"), (socket(5), "e")]);
    let missing = answers.missing().collect::<Vec<_>>();
    assert_eq!(missing[0], (socket(4), &AckError::Disconnected(SERVER)));
    assert_eq!(missing[1..], [3, 1].map(|number| (socket(number), &AckError::TimedOut)));
    assert_eq!(answers.get(socket(5)).unwrap().as_ref().unwrap().as_str(), Some("e"));
    assert_eq!(answers.get(socket(1)).unwrap().as_ref().unwrap_err(), &AckError::TimedOut);
    assert!(answers.get(socket(6)).is_none());
    assert_eq!((&answers).into_iter().count(), 5);
    assert_eq!(
        format!("{answers:?}"),
        r#"{2v1: Ok("b"), 5v1: Ok("e"), 4v1: Err(Disconnected(Server)), 3v1: Err(TimedOut), 1v1: Err(TimedOut)}"#
    );
    assert_eq!(answers.into_iter().map(|(id, _)| id.to_bits() as u32).collect::<Vec<_>>(), [2, 5, 4, 3, 1]);
}

#[test]
fn no_recipients_are_done_at_once_and_complete() {
    let rig = Rig::new();
    let acks = rig.open();
    assert!(!acks.is_done());
    acks.sent_to(vec![].into());
    assert_eq!((acks.is_done(), acks.expected(), rig.table.len()), (true, 0, 0));
    let answers = acks.wait();
    assert!(answers.is_empty() && answers.is_complete());
    let called = listen(rig.sent_to(&[]));
    assert_eq!(called.iter().collect::<Vec<_>>(), [""]);
    rig.assert_idle();
}

#[test]
fn ids_count_up_from_zero_for_all_together() {
    let rig = Rig::new();
    let (first, second, third) = (rig.sent(1), rig.sent_to(&[1, 2]), rig.sent(1));
    assert_eq!((first.id(), second.id(), third.id(), rig.table.len()), (0, 1, 2, 3));
    assert!(rig.answer(2, 1, "third"));
    assert_eq!((first.is_done(), second.is_done(), third.is_done()), (false, false, true));
    assert_eq!(third.wait().unwrap().as_str(), Some("third"));
}

#[test]
fn early_answers_and_departures_are_remembered() {
    let rig = Rig::new();
    let acks = rig.open();
    let id = acks.id();
    assert!(rig.answer(id, 1, "early"));
    assert!(!rig.answer(id, 1, "twice"));
    rig.gone(1); // has answered already
    rig.gone(2);
    assert!(!rig.answer(id, 2, "after the end"));
    assert!(rig.answer(id, 8, "stranger"));
    rig.gone(9);
    assert!(!acks.is_done());
    acks.sent_to([3, 2, 1].map(socket).to_vec().into());
    assert_eq!((acks.answered(), acks.expected(), acks.is_done()), (1, 3, false));
    assert!(rig.answer(id, 3, "late enough"));
    assert_eq!(shown(&acks.wait()), "1:early 3:late enough 2-gone");

    let acks = rig.open();
    assert!(rig.answer(acks.id(), 1, "all"));
    let called = listen({
        acks.sent_to(vec![socket(1)].into());
        acks
    });
    assert_eq!(called.iter().collect::<Vec<_>>(), ["1:all"]);
    rig.assert_idle();
}

#[test]
fn answers_that_nobody_waits_for_are_refused_and_dropped() {
    let rig = Rig::new();
    let (value, payload) = counted();
    let answer = |id, from| rig.table.answer(id, socket(from), payload.clone());
    assert!(!answer(0, 1), "unknown");
    let acks = rig.sent_to(&[1, 2]);
    assert!(!answer(acks.id(), 3), "stranger");
    assert!(answer(acks.id(), 1));
    assert!(!answer(acks.id(), 1), "double");
    rig.gone(2);
    assert!(!answer(acks.id(), 2), "gone, and done");
    assert_eq!(acks.answered(), 1);
    let id = acks.id();
    drop(acks.cancel());
    assert!(!answer(id, 1), "late");

    let ack = rig.sent(1);
    assert!(!answer(ack.id(), 2), "not asked");
    let early = rig.open();
    assert!(answer(early.id(), 7));
    early.sent_to(vec![socket(1)].into());
    drop((ack, early));
    assert_eq!(payload.downcast::<()>().map(|_| Arc::strong_count(&value)), Some(3));
    drop(payload);
    assert_eq!(Arc::strong_count(&value), 1);
    rig.assert_idle();
}

#[test]
fn a_departure_resolves_all_that_a_socket_has_yet_to_answer() {
    let rig = Rig::new();
    let own = rig.sent(1);
    let other = rig.sent(2);
    let (both, others) = (rig.sent_to(&[1, 2]), rig.sent_to(&[2, 3]));
    rig.gone(1);
    rig.gone(1);
    assert_eq!((own.is_done(), other.is_done(), both.is_done()), (true, false, false));
    assert_eq!(own.wait().unwrap_err(), AckError::Disconnected(SERVER));
    assert!(rig.answer(both.id(), 2, "b"));
    assert_eq!(shown(&both.wait()), "2:b 1-gone");
    assert_eq!((others.answered(), others.expected(), rig.table.len()), (0, 2, 2));
}

#[test]
fn the_clock_ends_the_waiting_and_leaves_nothing() {
    let rig = Rig::new();
    rig.clock.tick(SECOND * 10);
    let acks = rig.sent_to(&[1, 2]).timeout(SECOND);
    assert!(rig.answer(acks.id(), 2, "b"));
    let called = listen(acks);
    rig.clock.tick(SECOND * 10);
    assert!(called.try_recv().is_err());
    rig.clock.tick(SECOND * 11);
    rig.clock.tick(SECOND * 12);
    assert_eq!(called.iter().collect::<Vec<_>>(), ["2:b 1-timeout"]);
    rig.assert_idle();

    // Done before, the timer goes.
    let acks = rig.sent_to(&[1]).timeout(SECOND);
    assert_eq!(rig.clock.len(), 1);
    assert!(rig.answer(acks.id(), 1, "a"));
    assert_eq!((acks.is_done(), rig.clock.len(), rig.table.len()), (true, 0, 0));
    // A timeout for what is done leaves none.
    let acks = acks.timeout(SECOND * 3);
    assert_eq!(rig.clock.len(), 0);
    drop(acks);
    rig.assert_idle();
}

#[test]
fn the_last_timeout_counts() {
    let rig = Rig::new();
    let acks =
        rig.sent_to(&[1]).timeout(SECOND).timeout(SECOND * 3).timeout(Duration::MAX).timeout(SECOND * 2);
    assert_eq!(rig.clock.len(), 1);
    rig.clock.tick(SECOND);
    assert!(!acks.is_done());
    rig.clock.tick(SECOND * 2);
    assert_eq!(shown(&acks.wait()), "1-timeout");
    rig.assert_idle();
}

#[test]
fn a_timeout_of_zero_is_over_at_once_and_once() {
    let rig = Rig::new();
    let acks = rig.sent_to(&[1]).timeout(Duration::ZERO);
    assert!(acks.is_done());
    assert!(!rig.answer(acks.id(), 1, "late"));
    let called = listen(acks.timeout(Duration::ZERO));
    rig.clock.tick(SECOND);
    assert_eq!(called.iter().collect::<Vec<_>>(), ["1-timeout"]);
    assert_eq!(rig.sent(1).timeout(Duration::ZERO).wait().unwrap_err(), AckError::TimedOut);

    // Over before the recipients are known: what came early counts.
    let acks = rig.open().timeout(Duration::ZERO);
    assert!(rig.answer(acks.id(), 2, "early"));
    acks.sent_to(vec![socket(1), socket(2)].into());
    assert_eq!(shown(&acks.wait()), "2:early 1-timeout");
    rig.assert_idle();
}

#[test]
fn waiting_ends_with_the_last_answer() {
    let rig = Rig::new();
    let acks = rig.sent_to(&[1, 2]);
    let id = acks.id();
    let waiter = thread::spawn(|| acks.wait());
    assert!(rig.answer(id, 1, "a"));
    assert!(rig.answer(id, 2, "b"));
    assert_eq!(shown(&waiter.join().unwrap()), "1:a 2:b");

    let ack = rig.sent(1).timeout(SECOND * 1000);
    let waiter = thread::spawn(|| ack.wait());
    rig.clock.tick(SECOND * 1000);
    assert_eq!(waiter.join().unwrap().unwrap_err(), AckError::TimedOut);
    rig.assert_idle();
}

#[test]
fn waiting_ends_by_the_system_clock_if_nobody_moves_ours() {
    let rig = Rig::new();
    let acks = rig.sent_to(&[1, 2]).timeout(Duration::from_millis(1));
    assert!(rig.answer(acks.id(), 1, "a"));
    assert_eq!(shown(&acks.wait()), "1:a 2-timeout");
    rig.assert_idle();
}

#[test]
fn a_future_is_woken_once_and_by_the_waker_it_was_polled_with_last() {
    let rig = Rig::new();
    let mut acks = rig.sent_to(&[1, 2]);
    let ((first, first_waker), (second, second_waker)) = (Wakes::new(), Wakes::new());
    assert!(poll(&mut acks, &first_waker).is_pending());
    assert!(rig.answer(acks.id(), 1, "a"));
    assert!(poll(&mut acks, &second_waker).is_pending());
    assert_eq!(Arc::strong_count(&first), 2, "the first waker is let go of");
    assert!(rig.answer(acks.id(), 2, "b"));
    assert_eq!((first.count(), second.count()), (0, 1));
    let Poll::Ready(answers) = poll(&mut acks, &first_waker) else { panic!("done") };
    assert_eq!(shown(&answers), "1:a 2:b");
    drop(acks);

    let mut ack = pin!(rig.sent(1));
    assert!(poll(&mut ack, &first_waker).is_pending());
    rig.gone(1);
    assert_eq!(first.count(), 1);
    let Poll::Ready(answer) = poll(&mut ack, &first_waker) else { panic!("done") };
    assert_eq!(answer.unwrap_err(), AckError::Disconnected(SERVER));
    assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (2, 2));
}

#[test]
#[should_panic(expected = "taken once")]
fn a_future_that_was_polled_to_its_end_panics() {
    let mut acks = Rig::new().sent_to(&[]);
    let (_, waker) = Wakes::new();
    assert!(poll(&mut acks, &waker).is_ready());
    drop(poll(&mut acks, &waker));
}

#[test]
fn a_handle_that_is_dropped_leaves_nothing() {
    let rig = Rig::new();
    let (value, payload) = counted();
    let (wakes, waker) = Wakes::new();
    let mut acks = rig.sent_to(&[1, 2]).timeout(SECOND);
    let id = acks.id();
    assert!(poll(&mut acks, &waker).is_pending());
    assert!(rig.table.answer(id, socket(1), payload));
    drop(acks);
    assert_eq!((Arc::strong_count(&value), Arc::strong_count(&wakes)), (1, 2));
    assert!(!rig.answer(id, 2, "late"));
    drop(rig.open()); // not published
    drop(rig.sent(1));
    rig.assert_idle();
}

#[test]
fn a_callback_keeps_the_message_and_is_called_once() {
    let rig = Rig::new();
    let called = listen(rig.sent_to(&[1, 2]));
    assert_eq!(rig.table.len(), 1);
    assert!(rig.answer(0, 2, "b"));
    assert!(called.try_recv().is_err());
    assert!(rig.answer(0, 1, "a"));
    assert!(!rig.answer(0, 1, "again"));
    assert_eq!(called.iter().collect::<Vec<_>>(), ["2:b 1:a"]);

    let (told, answers) = channel();
    rig.sent(1).on_done(move |answer| told.send(answer.map(|payload| payload.len())).unwrap());
    assert!(rig.answer(1, 1, "four"));
    assert_eq!(answers.iter().collect::<Vec<_>>(), [Ok(4)]);
    rig.assert_idle();
}

#[test]
fn a_callback_replaces_the_task_that_polled_before() {
    let rig = Rig::new();
    let (wakes, waker) = Wakes::new();
    let mut acks = rig.sent_to(&[1]);
    assert!(poll(&mut acks, &waker).is_pending());
    let called = listen(acks);
    assert_eq!(Arc::strong_count(&wakes), 2);
    rig.gone(1);
    assert_eq!((called.iter().collect::<Vec<_>>(), wakes.count()), (vec!["1-gone".to_owned()], 0));
}

#[test]
fn a_callback_may_answer_ask_and_tick() {
    let rig = Arc::new(Rig::new());
    let (told, results) = channel();
    let second = rig.sent_to(&[2]);
    let second_id = second.id();
    second.on_done({
        let told = told.clone();
        move |answers| told.send(shown(&answers)).unwrap()
    });
    let first = rig.sent_to(&[1]).timeout(SECOND);
    let first_id = first.id();
    first.on_done({
        let rig = Arc::clone(&rig);
        move |answers| {
            told.send(shown(&answers)).unwrap();
            assert_eq!(rig.table.len(), 1, "it is out of the table when it is called");
            assert!(!rig.answer(first_id, 1, "its own"));
            assert!(rig.answer(second_id, 2, "b"));
            let third = rig.sent(3).timeout(SECOND);
            rig.clock.tick(SECOND * 5);
            told.send(third.wait().unwrap_err().to_string()).unwrap();
        }
    });
    assert!(rig.answer(first_id, 1, "a"));
    assert_eq!(results.iter().collect::<Vec<_>>(), ["1:a", "2:b", "not answered in time"]);
    rig.assert_idle();
}

#[test]
#[cfg(panic = "unwind")]
fn panics_of_callbacks_wakers_and_payloads_end_there() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("as it should");
        }
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("as it should");
            }
        }
    }
    let rig = Rig::new();
    rig.sent_to(&[1]).on_done(|_| panic!("as it should"));
    assert!(rig.answer(0, 1, "a"));
    rig.sent_to(&[]).on_done(|_| panic!("as it should"));
    let mut acks = rig.sent_to(&[1]);
    let waker = Waker::from(Arc::new(Panics));
    assert!(poll(&mut acks, &waker).is_pending());
    drop(waker); // not the last one
    rig.gone(1);
    assert!(acks.is_done());
    drop(acks);

    let bomb = || Payload::from(Arc::new(Panics));
    assert!(!rig.table.answer(9, socket(1), bomb()));
    let acks = rig.open();
    assert!(rig.table.answer(acks.id(), socket(8), bomb()));
    assert!(rig.table.answer(acks.id(), socket(9), bomb()));
    acks.sent_to([1, 2, 3].map(socket).to_vec().into());
    assert!(rig.table.answer(acks.id(), socket(1), bomb()));
    assert!(rig.table.answer(acks.id(), socket(2), bomb()));
    drop(acks);
    let acks = rig.sent_to(&[1, 2]);
    assert!(rig.table.answer(acks.id(), socket(1), bomb()));
    assert!(rig.table.answer(acks.id(), socket(2), bomb()));
    drop(acks);
    rig.assert_idle();
}

#[test]
fn payloads_are_dropped_under_no_lock() {
    struct Looks(Arc<AckTable>, Arc<Mutex<usize>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            // Takes the table's lock, and that of every broadcast in it.
            self.0.gone(socket(99), &SERVER);
            *self.1.lock() += 1;
        }
    }
    let rig = Rig::new();
    let dropped = Arc::default();
    let look = || Payload::from(Arc::new(Looks(Arc::clone(&rig.table), Arc::clone(&dropped))));
    let other = rig.sent_to(&[1, 99]);
    let acks = rig.open();
    assert!(rig.table.answer(acks.id(), socket(8), look()));
    acks.sent_to(vec![socket(1), socket(2)].into());
    assert!(!rig.table.answer(acks.id(), socket(8), look()));
    assert!(rig.table.answer(acks.id(), socket(1), look()));
    assert_eq!(*dropped.lock(), 2);
    drop(acks);
    assert_eq!(*dropped.lock(), 3);
    assert_eq!(shown(&other.cancel()), "1-timeout 99-gone");
}

#[test]
fn a_timer_keeps_nothing_alive() {
    let rig = Rig::new();
    let pending = {
        let acks = rig.sent_to(&[1]).timeout(SECOND);
        let pending = Arc::downgrade(&acks.pending);
        acks.on_done(|_| {});
        pending
    };
    let Rig { table, clock } = rig;
    drop(table);
    assert!(pending.upgrade().is_none());
    clock.tick(SECOND);
    assert_eq!((clock.len(), Arc::strong_count(&clock)), (0, 1));
}

#[test]
fn handles_go_to_any_thread() {
    fn check<T: Send + Sync + Unpin>() {}
    check::<Acks>();
    check::<Ack>();
    check::<Answers>();
}
