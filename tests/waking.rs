//! Waiting and waking: blocking, async and by callback. At most one wake-up between two drains, none lost.

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::{hammer, messages, number, watched};
use roomcast::{Closed, DisconnectReason, Engine, Inbox, Namespace, RecvTimeoutError, Socket};

fn namespace() -> Namespace {
    Engine::builder().backlog(messages(1 << 20)).build().of("/waking").unwrap()
}

fn member(namespace: &Namespace) -> (Socket, Inbox) {
    let (socket, inbox) = namespace.connect();
    socket.join("room").unwrap();
    (socket, inbox)
}

/// A bell that a thread can wait for: rings add up.
#[derive(Default)]
struct Bell {
    rings: Mutex<usize>,
    rung: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rings.lock().unwrap() += 1;
        self.rung.notify_all();
    }

    fn rings(&self) -> usize {
        *self.rings.lock().unwrap()
    }

    /// Waits until there were more than `rings`.
    fn wait_past(&self, rings: usize) {
        drop(self.rung.wait_while(self.rings.lock().unwrap(), |now| *now <= rings).unwrap());
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

/// The smallest runtime: polls, and waits for the waker.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    loop {
        let rings = bell.rings();
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => bell.wait_past(rings),
        }
    }
}

#[test]
fn one_wake_between_two_drains() {
    let namespace = namespace();
    let (socket, mut inbox) = member(&namespace);
    let bell = Arc::new(Bell::default());
    inbox.drain(|_| {});
    inbox.on_wake({
        let bell = Arc::clone(&bell);
        move || bell.ring()
    });
    assert_eq!(bell.rings(), 0, "nothing has happened yet");
    for round in 1..=100 {
        for _ in 0..5 {
            namespace.to("room").emit("n", ()).unwrap();
            namespace.emit("n", ()).unwrap();
            socket.emit("n", ()).unwrap();
            socket.join(round).unwrap();
        }
        assert_eq!(bell.rings(), round);
        assert_eq!(inbox.drain(|_| {}), 15);
    }
    // Draining what is not there wakes nobody, and leaves the callback ready.
    assert_eq!((inbox.drain(|_| {}), inbox.drain(|_| {}), bell.rings()), (0, 0, 100));
    socket.emit("n", ()).unwrap();
    assert_eq!(bell.rings(), 101);
    // So does reading one by one, once there is no more.
    assert!(inbox.try_next().is_some());
    socket.emit("n", ()).unwrap();
    assert_eq!(bell.rings(), 101);
    assert!(inbox.try_next().is_some() && inbox.try_next().is_none());
    socket.emit("n", ()).unwrap();
    assert_eq!(bell.rings(), 102);
    inbox.no_wake();
    inbox.drain(|_| {});
    socket.emit("n", ()).unwrap();
    assert_eq!(bell.rings(), 102, "the callback is removed");
}

#[test]
fn setting_a_callback_tells_of_what_is_there() {
    let namespace = namespace();
    let (socket, mut inbox) = member(&namespace);
    socket.emit("n", ()).unwrap();
    let woken = Arc::new(AtomicUsize::new(0));
    inbox.on_wake({
        let woken = Arc::clone(&woken);
        move || {
            woken.fetch_add(1, Ordering::SeqCst);
        }
    });
    assert_eq!(woken.load(Ordering::SeqCst), 1);
    assert_eq!(inbox.drain(|_| {}), 1);
}

#[test]
fn messages_for_others_do_not_deliver_but_may_wake() {
    let namespace = namespace();
    let (socket, mut inbox) = member(&namespace);
    let bell = Arc::new(Bell::default());
    inbox.on_wake({
        let bell = Arc::clone(&bell);
        move || bell.ring()
    });
    inbox.drain(|_| {});
    let before = bell.rings();
    socket.to("room").emit("own", ()).unwrap();
    assert!(bell.rings() <= before + 1);
    assert_eq!(inbox.drain(|_| {}), 0);
    namespace.to("room").emit("n", ()).unwrap();
    assert!(bell.rings() > before);
    assert_eq!(inbox.drain(|_| {}), 1);
}

#[test]
fn a_question_wakes_nobody_in_the_rooms_that_it_leaves_out() {
    let namespace = namespace();
    let (_asked, mut answering) = member(&namespace);
    let (quiet, mut inbox) = namespace.connect();
    quiet.join("quiet").unwrap();
    let bells = [(); 2].map(|()| Arc::new(Bell::default()));
    for (inbox, bell) in [&mut answering, &mut inbox].into_iter().zip(&bells) {
        let bell = Arc::clone(bell);
        inbox.on_wake(move || bell.ring());
        inbox.drain(|_| {});
    }
    let before = bells.each_ref().map(|bell| bell.rings());
    let _acks = namespace.to("room").except("quiet").emit_with_ack("ask", ()).unwrap();
    assert_eq!(bells.each_ref().map(|bell| bell.rings()), [before[0] + 1, before[1]]);
}

#[test]
fn disconnecting_wakes_everybody_who_waits() {
    watched("wake on disconnect", || {
        for round in 0..100 {
            let namespace = namespace();
            let wait: [fn(Inbox) -> DisconnectReason; 4] = [
                |mut inbox| inbox.recv().map(|_| ()).unwrap_err().reason,
                |mut inbox| match inbox.recv_timeout(Duration::MAX).map(|_| ()) {
                    Err(RecvTimeoutError::Closed(reason)) => reason,
                    other => panic!("{other:?}"),
                },
                |mut inbox| block_on(inbox.recv_async()).map(|_| ()).unwrap_err().reason,
                |mut inbox| {
                    let bell = Arc::new(Bell::default());
                    inbox.on_wake({
                        let bell = Arc::clone(&bell);
                        move || bell.ring()
                    });
                    let mut rings = 0;
                    while inbox.closed().is_none() {
                        bell.wait_past(rings);
                        rings = bell.rings();
                        inbox.drain(|_| {});
                    }
                    inbox.closed().unwrap().clone()
                },
            ];
            let waiting = wait.map(|wait| {
                let (socket, inbox) = member(&namespace);
                (socket, thread::spawn(move || wait(inbox)))
            });
            // Whether they sleep already or not differs from round to round.
            if round % 3 == 0 {
                thread::yield_now();
            }
            for (socket, thread) in waiting {
                assert!(socket.disconnect("over"));
                assert_eq!(thread.join().unwrap(), DisconnectReason::from("over"));
            }
        }
    });
}

#[test]
fn a_busy_reader_hears_of_its_disconnection() {
    // The disconnection falls between two steps of a reader that never rests.
    watched("disconnect a busy reader", || {
        for _ in 0..500 {
            let namespace = namespace();
            let (socket, mut inbox) = member(&namespace);
            let is_running = Arc::new(AtomicBool::new(false));
            let reader = {
                let is_running = Arc::clone(&is_running);
                thread::spawn(move || {
                    is_running.store(true, Ordering::SeqCst);
                    loop {
                        match inbox.recv() {
                            Ok(delivery) => drop(delivery.to_message()),
                            Err(Closed { reason }) => return reason,
                        }
                    }
                })
            };
            while !is_running.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
            namespace.to("room").emit("n", ()).unwrap();
            socket.disconnect("over");
            assert_eq!(reader.join().unwrap(), DisconnectReason::from("over"));
        }
    });
}

const EACH: u64 = 2_500;

/// Takes deliveries until all of [`hammer`]'s have come, each publisher's in order.
struct Expect([u64; 2]);

impl Expect {
    fn take(&mut self, number: u64) {
        let next = &mut self.0[number as usize % 2];
        assert_eq!(number / 2, *next);
        *next += 1;
    }

    fn is_over(&self) -> bool {
        self.0 == [EACH, EACH]
    }
}

fn under_fire(what: &'static str, wait: impl Fn(&mut Inbox, &mut Expect) + Send + 'static) {
    watched(what, move || {
        let namespace = namespace();
        let (socket, mut inbox) = member(&namespace);
        let publishers = hammer(&namespace, &socket, EACH);
        let mut expect = Expect([0, 0]);
        while !expect.is_over() {
            wait(&mut inbox, &mut expect);
        }
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        assert!(inbox.try_next().is_none());
    });
}

#[test]
fn recv_loses_no_wake_up() {
    under_fire("recv", |inbox, expect| expect.take(number(&inbox.recv().unwrap())));
}

#[test]
fn recv_timeout_loses_no_wake_up() {
    under_fire("recv_timeout", |inbox, expect| {
        expect.take(number(&inbox.recv_timeout(Duration::from_secs(100)).unwrap()));
    });
}

#[test]
fn recv_async_loses_no_wake_up() {
    under_fire("recv_async", |inbox, expect| {
        let number = block_on(async { inbox.recv_async().await.map(|delivery| number(&delivery)) });
        expect.take(number.unwrap());
    });
}

#[test]
fn poll_recv_loses_no_wake_up() {
    under_fire("poll_recv", |inbox, expect| {
        let number = std::future::poll_fn(|cx| inbox.poll_recv(cx).map_ok(|delivery| number(&delivery)));
        expect.take(block_on(number).unwrap());
    });
}

#[test]
fn a_callback_loses_no_wake_up_and_none_is_too_many() {
    watched("on_wake", || {
        let namespace = namespace();
        let (socket, mut inbox) = member(&namespace);
        let bell = Arc::new(Bell::default());
        inbox.on_wake({
            let bell = Arc::clone(&bell);
            move || bell.ring()
        });
        let publishers = hammer(&namespace, &socket, EACH);
        let mut expect = Expect([0, 0]);
        let (mut rings, mut drains) = (0, 0);
        while !expect.is_over() {
            bell.wait_past(rings); // nothing but the callback ever makes it look
            rings = bell.rings();
            inbox.drain(|delivery| expect.take(number(&delivery)));
            drains += 1;
        }
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        assert!(bell.rings() <= drains + 1, "{} wake-ups for {drains} drains", bell.rings());
    });
}

#[test]
fn a_timeout_ends_the_waiting_and_nothing_else() {
    let namespace = namespace();
    let (socket, mut inbox) = member(&namespace);
    for timeout in [Duration::ZERO, Duration::from_millis(5)] {
        let start = Instant::now();
        assert_eq!(inbox.recv_timeout(timeout).map(|_| ()), Err(RecvTimeoutError::Timeout));
        assert!(start.elapsed() >= timeout);
    }
    socket.emit("n", "later").unwrap();
    let delivery = inbox.recv_timeout(Duration::ZERO).unwrap();
    assert_eq!(delivery.payload().as_str(), Some("later"));
    socket.emit("n", "last").unwrap();
    socket.disconnect(DisconnectReason::Client);
    assert_eq!(inbox.recv().unwrap().payload().as_str(), Some("last"));
    let closed = Closed { reason: DisconnectReason::Client };
    for _ in 0..2 {
        assert_eq!(inbox.recv().map(|_| ()), Err(closed.clone()));
        assert_eq!(
            inbox.recv_timeout(Duration::ZERO).map(|_| ()),
            Err(RecvTimeoutError::Closed(DisconnectReason::Client))
        );
        assert_eq!(block_on(inbox.recv_async()).map(|_| ()), Err(closed.clone()));
        assert_eq!((inbox.try_next().map(|_| ()), inbox.drain(|_| {})), (None, 0));
    }
}

#[test]
fn a_dropped_future_loses_nothing() {
    let namespace = namespace();
    let (socket, mut inbox) = member(&namespace);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    for n in 0..10_u64 {
        {
            let future = pin!(inbox.recv_async());
            assert!(future.poll(&mut Context::from_waker(&waker)).is_pending());
        }
        socket.emit("n", n.to_le_bytes()).unwrap();
        assert_eq!(bell.rings(), n as usize + 1);
        assert_eq!(block_on(inbox.recv_async()).map(|delivery| number(&delivery)), Ok(n));
    }
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    let namespace = namespace();
    let (socket, mut inbox) = member(&namespace);
    let bells = [(); 3].map(|()| Arc::new(Bell::default()));
    for bell in &bells {
        let waker = Waker::from(Arc::clone(bell));
        assert!(inbox.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    }
    socket.emit("n", ()).unwrap();
    assert_eq!(bells.each_ref().map(|bell| bell.rings()), [0, 0, 1]);
    // Wakers that are not needed any more are let go of.
    assert!(inbox.poll_recv(&mut Context::from_waker(&Waker::from(Arc::clone(&bells[2])))).is_ready());
    drop(inbox);
    assert_eq!(bells.each_ref().map(Arc::strong_count), [1, 1, 1]);
}

#[test]
fn a_socket_in_many_rooms_is_woken_by_each() {
    let namespace = namespace();
    let (socket, mut inbox) = namespace.connect();
    socket.join((0..100).collect::<Vec<i32>>()).unwrap();
    let bell = Arc::new(Bell::default());
    inbox.on_wake({
        let bell = Arc::clone(&bell);
        move || bell.ring()
    });
    inbox.drain(|_| {});
    for round in 0..3 {
        for room in (0..100).rev() {
            let before = bell.rings();
            namespace.to(room).emit("n", ()).unwrap();
            namespace.to((room + round) % 100).emit("n", ()).unwrap();
            assert_eq!(bell.rings(), before + 1, "room {room}");
            assert_eq!(inbox.drain(|_| {}), 2, "room {room}");
        }
    }
    socket.set_rooms([0, 1, 2]).unwrap();
    inbox.drain(|_| {});
    for room in 0..100 {
        let before = bell.rings();
        namespace.to(room).emit("n", ()).unwrap();
        assert_eq!(bell.rings() - before, usize::from(room < 3), "room {room}");
        assert_eq!(inbox.drain(|_| {}), usize::from(room < 3), "room {room}");
    }
}

#[test]
fn whatever_is_there_when_a_callback_is_set_is_there_afterwards() {
    for rooms in [1, 3, 100] {
        let namespace = namespace();
        let (socket, mut inbox) = namespace.connect();
        socket.join((0..rooms).collect::<Vec<i32>>()).unwrap();
        inbox.drain(|_| {});
        let bell = Arc::new(Bell::default());
        for round in 1..=5 {
            namespace.to(rooms / 2).emit("n", ()).unwrap();
            namespace.to(rooms - 1).emit("n", ()).unwrap();
            inbox.on_wake({
                let bell = Arc::clone(&bell);
                move || bell.ring()
            });
            assert_eq!((bell.rings(), inbox.drain(|_| {})), (round, 2), "{rooms} rooms");
            inbox.no_wake();
        }
    }
}

#[test]
fn a_wait_that_is_given_up_leaves_the_callback_in_place() {
    let (socket, mut inbox) = Engine::new().of("/").unwrap().connect();
    let woken = Arc::new(AtomicUsize::new(0));
    inbox.drain(|_| {});
    inbox.on_wake({
        let woken = Arc::clone(&woken);
        move || {
            woken.fetch_add(1, Ordering::Relaxed);
        }
    });
    {
        let waiting = pin!(inbox.recv_async());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(waiting.poll(&mut cx).is_pending());
    }
    assert_eq!(woken.load(Ordering::Relaxed), 0);
    socket.emit("said", "a").unwrap();
    assert_eq!(woken.load(Ordering::Relaxed), 1);
    assert_eq!(socket.namespace().path(), "/");
}

#[test]
fn removing_the_callback_leaves_a_waiting_task_alone() {
    let (socket, mut inbox) = Engine::new().of("/").unwrap().connect();
    let bell = Arc::new(Rings::default());
    inbox.on_wake(|| {});
    inbox.drain(|_| {});
    let waker = Waker::from(Arc::clone(&bell));
    assert!(inbox.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    inbox.no_wake();
    socket.emit("said", "a").unwrap();
    assert_eq!(bell.0.load(Ordering::Relaxed), 1);
}

#[derive(Default)]
struct Rings(AtomicUsize);

impl Wake for Rings {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
