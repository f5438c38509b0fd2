//! Waiting for something to send, in all the ways there are: none loses a wake-up, and all end with the connection.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use roomcast::{Connection, Delivery, Engine, Namespace, Outbox, ReadyQueue, ServerPacket, Transport};

use crate::common::{hammer, messages, number, watched};
use crate::rig::{Bell, Peer, connect, drain_all, drain_by, stop_at, text};

/// The smallest runtime: polls, and waits for the waker.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    loop {
        let rings = bell.rings();
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => _ = bell.wait_past(rings),
        }
    }
}

fn engine() -> (Engine, Namespace) {
    let engine = Engine::builder().backlog(messages(1 << 20)).build();
    let namespace = engine.of("/").unwrap();
    (engine, namespace)
}

const EACH: u64 = 1_000;

/// Publishes, and closes the connection when all is published.
fn publish_and_close(namespace: &Namespace, connection: &Connection) -> JoinHandle<()> {
    let publishers = hammer(namespace, &connection.socket("/").unwrap(), EACH);
    let connection = connection.clone();
    thread::spawn(move || {
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        assert!(connection.close("over"));
    })
}

/// Takes what [`hammer`] has published, each publisher's in order.
#[derive(Default)]
struct Expect {
    next: [u64; 2],
    is_over: bool,
}

impl Expect {
    fn take(&mut self, packet: ServerPacket<'_>) {
        let number = |delivery: Delivery<'_>| number(&delivery);
        match packet {
            ServerPacket::Event { delivery, .. } => {
                let number = number(delivery);
                let next = &mut self.next[number as usize % 2];
                assert_eq!(number / 2, *next);
                *next += 1;
            }
            ServerPacket::Disconnect { .. } => self.is_over = true,
            other => panic!("unexpected: {other:?}"),
        }
    }
}

/// Waits and drains, in whatever way, until the connection is closed; and then everything has come.
fn under_fire(
    what: &'static str,
    transport: impl Transport,
    mut wait: impl FnMut(&mut Outbox) + Send + 'static,
    drain: impl Fn(&mut Outbox, &mut Expect) + Send + 'static,
) {
    watched(what, move || {
        let (engine, namespace) = engine();
        let Peer { connection, mut outbox } = Peer::joined(&engine, transport, &["/"], "room");
        let publishers = publish_and_close(&namespace, &connection);
        let mut expect = Expect::default();
        while outbox.closed().is_none() {
            wait(&mut outbox);
            drain(&mut outbox, &mut expect);
        }
        publishers.join().unwrap();
        assert_eq!((expect.next, expect.is_over), ([EACH, EACH], true));
        // From now on there is nothing to wait for.
        outbox.wait();
        block_on(outbox.wait_async());
        assert!(outbox.wait_timeout(Duration::ZERO));
        assert_eq!(outbox.drain(|_| {}), 0);
    });
}

fn whole(outbox: &mut Outbox, expect: &mut Expect) {
    outbox.drain(|packet| expect.take(packet));
}

/// Stops once, and leaves the rest to the next wait, which is none.
fn a_part(outbox: &mut Outbox, expect: &mut Expect) {
    let mut count = 0;
    let _ = outbox.try_drain(|packet| {
        expect.take(packet);
        count += 1;
        stop_at(3, count)
    });
}

/// For those who are not woken again after a stop.
fn all_parts(outbox: &mut Outbox, expect: &mut Expect) {
    drain_by(outbox, 3, |packet| expect.take(packet));
}

#[test]
fn wait_loses_no_wake_up() {
    under_fire("wait", (), Outbox::wait, whole);
    under_fire("wait, in parts", (), Outbox::wait, a_part);
}

#[test]
fn wait_timeout_loses_no_wake_up() {
    let wait = |outbox: &mut Outbox| assert!(outbox.wait_timeout(Duration::from_secs(100)));
    under_fire("wait_timeout", (), wait, whole);
    under_fire("wait_timeout, in parts", Arc::new(Bell::default()), wait, a_part);
    // One that is over all the time.
    let impatient = |outbox: &mut Outbox| while !outbox.wait_timeout(Duration::from_micros(10)) {};
    under_fire("wait_timeout, for moments", (), impatient, whole);
}

#[test]
fn wait_async_loses_no_wake_up() {
    under_fire("wait_async", (), |outbox| block_on(outbox.wait_async()), whole);
    under_fire("wait_async, in parts", (), |outbox| block_on(outbox.wait_async()), a_part);
}

#[test]
fn poll_wait_loses_no_wake_up() {
    let wait = |outbox: &mut Outbox| block_on(std::future::poll_fn(|cx| outbox.poll_wait(cx)));
    under_fire("poll_wait", (), wait, whole);
    under_fire("poll_wait, in parts", (), wait, a_part);
}

#[test]
fn ways_to_wait_may_be_mixed() {
    let mut turn = 0;
    let mixed = move |outbox: &mut Outbox| {
        turn += 1;
        match turn % 4 {
            0 => outbox.wait(),
            1 => assert!(outbox.wait_timeout(Duration::from_secs(100))),
            2 => block_on(outbox.wait_async()),
            _ => {
                // Given up at once.
                let _ = pin!(outbox.wait_async()).poll(&mut Context::from_waker(Waker::noop()));
            }
        }
    };
    under_fire("mixed", (), mixed, whole);
}

#[test]
fn on_wake_loses_no_wake_up() {
    for drain in [whole, all_parts] {
        let (bell, mut rings, mut is_set) = (Arc::new(Bell::default()), 0, false);
        let wait = move |outbox: &mut Outbox| {
            if !std::mem::replace(&mut is_set, true) {
                let bell = Arc::clone(&bell);
                outbox.on_wake(move || bell.ring());
            }
            rings = bell.wait_past(rings);
        };
        under_fire("on_wake", (), wait, drain);
    }
}

#[test]
fn a_transport_loses_no_wake_up_and_none_is_too_many() {
    for (drain, drains_once) in [(whole as fn(&mut _, &mut _), true), (all_parts, false)] {
        let (bell, mut rings, mut waits) = (Arc::new(Bell::default()), 0, 0);
        let transport = Arc::clone(&bell);
        let wait = move |_: &mut Outbox| {
            rings = bell.wait_past(rings);
            waits += 1;
            assert!(!drains_once || rings <= waits + 1, "{rings} wake-ups");
        };
        under_fire("transport", transport, wait, drain);
    }
}

#[test]
fn a_ready_queue_loses_no_wake_up() {
    for drain in [whole, all_parts] {
        let ready = ReadyQueue::new();
        let transport = ready.transport("key");
        let wait = move |_: &mut Outbox| assert_eq!(ready.receiver().recv(), Ok("key"));
        under_fire("ready queue", transport, wait, drain);
    }
}

#[test]
fn a_close_is_missed_by_nobody_who_waits() {
    watched("wait for a close", || {
        for round in 0..300 {
            let (engine, _) = engine();
            let (connection, mut outbox) = engine.connect(());
            let (ready, is_ready) = channel();
            let waiter = thread::spawn(move || {
                ready.send(()).unwrap();
                while outbox.closed().is_none() {
                    match round % 3 {
                        0 => outbox.wait(),
                        1 => assert!(outbox.wait_timeout(Duration::from_secs(100))),
                        _ => block_on(outbox.wait_async()),
                    }
                    outbox.drain(|_| {});
                }
                outbox.closed().cloned()
            });
            is_ready.recv().unwrap();
            match round % 2 {
                0 => assert!(connection.close("over")),
                _ => engine.close(),
            }
            assert_eq!(waiter.join().unwrap(), connection.closed());
        }
    });
}

#[test]
fn a_timeout_ends_the_waiting_and_nothing_else() {
    let (engine, namespace) = engine();
    let mut peer = Peer::joined(&engine, (), &["/"], "room");
    for timeout in [Duration::ZERO, Duration::from_millis(5)] {
        let start = std::time::Instant::now();
        assert!(!peer.outbox.wait_timeout(timeout));
        assert!(start.elapsed() >= timeout);
    }
    namespace.to("room").emit("e", "").unwrap();
    assert!(peer.outbox.wait_timeout(Duration::MAX)); // which is for ever
    assert_eq!(peer.read(), ["/ e:"]);
    assert!(!peer.outbox.wait_timeout(Duration::ZERO));
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    watched("given up", || {
        let (engine, namespace) = engine();
        for transport in [false, true] {
            let bell = Arc::new(Bell::default());
            let mut peer = if transport {
                Peer::joined(&engine, Arc::clone(&bell), &["/"], "room")
            } else {
                Peer::joined(&engine, (), &["/"], "room")
            };
            let (before, stale) = (bell.rings(), Arc::new(Bell::default()));
            for n in 0..10 {
                let waker = Waker::from(Arc::clone(&stale));
                assert!(pin!(peer.outbox.wait_async()).poll(&mut Context::from_waker(&waker)).is_pending());
                assert!(!peer.outbox.wait_timeout(Duration::ZERO));
                assert!(pin!(peer.outbox.wait_async()).poll(&mut Context::from_waker(&waker)).is_pending());
                namespace.to("room").emit("e", n.to_string()).unwrap();
                assert_eq!(stale.rings(), n + 1);
                assert_eq!(bell.rings() - before, if transport { n + 1 } else { 0 });
                block_on(peer.outbox.wait_async());
                peer.outbox.wait();
                assert_eq!(peer.read(), [format!("/ e:{n}")]);
            }
        }
    });
}

#[test]
fn the_last_waker_is_the_one_that_is_woken_and_goes_with_the_outbox() {
    let (engine, namespace) = engine();
    let mut peer = Peer::joined(&engine, (), &["/"], "room");
    let bells = [(); 3].map(|()| Arc::new(Bell::default()));
    let mut poll = |bell: &Arc<Bell>| {
        let waker = Waker::from(Arc::clone(bell));
        peer.outbox.poll_wait(&mut Context::from_waker(&waker))
    };
    bells.iter().for_each(|bell| assert!(poll(bell).is_pending()));
    namespace.emit("e", "").unwrap();
    assert_eq!(bells.each_ref().map(|bell| bell.rings()), [0, 0, 1]);
    assert!(poll(&bells[0]).is_ready());
    drain_all(&mut peer.outbox, false, |_| {});
    let waker = Waker::from(Arc::clone(&bells[1]));
    assert!(peer.outbox.poll_wait(&mut Context::from_waker(&waker)).is_pending());
    drop((waker, peer.outbox));
    assert_eq!(bells.each_ref().map(Arc::strong_count), [1, 1, 1]);
}

/// A transport's loop, for any runtime.
async fn serve(mut outbox: Outbox) -> Vec<String> {
    let mut sent = Vec::new();
    while outbox.closed().is_none() {
        outbox.wait_async().await;
        outbox.drain(|packet| sent.push(text(packet)));
    }
    sent
}

#[test]
fn the_same_loop_runs_on_every_runtime() {
    use tokio::runtime::Builder;
    type Run = fn(Outbox) -> Vec<String>;
    let runtimes: [(&str, Run); 6] = [
        ("by hand", |outbox| block_on(serve(outbox))),
        ("tokio, one thread", |outbox| {
            Builder::new_current_thread().build().unwrap().block_on(serve(outbox))
        }),
        ("tokio, one thread, a task", |outbox| {
            let runtime = Builder::new_current_thread().build().unwrap();
            runtime.block_on(async { tokio::spawn(serve(outbox)).await.unwrap() })
        }),
        ("tokio, several threads", |outbox| {
            let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
            runtime.block_on(async { tokio::spawn(serve(outbox)).await.unwrap() })
        }),
        ("smol", |outbox| smol::block_on(serve(outbox))),
        ("smol, a task", |outbox| smol::block_on(smol::spawn(serve(outbox)))),
    ];
    for (name, run) in runtimes {
        watched(name, move || {
            let (engine, namespace) = engine();
            let (connection, outbox) = engine.connect(());
            let (started, start) = channel();
            let writer = thread::spawn(move || {
                started.send(()).unwrap();
                run(outbox)
            });
            start.recv().unwrap();
            connect(&connection, "/").unwrap();
            for n in 0..1_000 {
                namespace.emit("e", n.to_string()).unwrap();
                if n % 7 == 0 {
                    thread::yield_now();
                }
            }
            connection.close("over");
            let sent = writer.join().unwrap();
            assert_eq!(sent.len(), 1_002, "{name}");
            let events = sent[1..1_001].iter().enumerate().all(|(n, sent)| *sent == format!("/ e:{n}"));
            assert!(sent[0] == "/ connect" && events && sent[1_001] == "/ disconnect:over", "{name}");
        });
    }
}
