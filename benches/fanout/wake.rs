//! Tasks that sleep until there is something to read: `wake`.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use criterion::{Criterion, Throughput};
use parking_lot::Mutex;

use crate::load::{Batch, Group, Tally};
use crate::systems::Sleep;
use crate::whom::each;

pub fn wake(criterion: &mut Criterion, runs: &[fn(&mut Group<'_>, usize)]) {
    each(criterion, "wake", &[1, 100, 10_000], runs);
}

/// Times a message to a room whose members all sleep, how each is woken and reads it, and goes to sleep again.
pub fn wakes<S: Sleep + 'static>(group: &mut Group<'_>, members: usize) {
    group.throughput(Throughput::Elements(members as u64));
    let mut setup = None;
    group.bench_function(S::ID, |bencher| {
        let (sleepers, batches) =
            setup.get_or_insert_with(|| (Sleepers::<S>::new(members), Batch::<S>::several(1)));
        let mut batches = batches.iter().cycle();
        bencher.iter(|| {
            let batch = batches.next().expect("there are batches");
            sleepers.system.publish(&sleepers.room, &batch.payloads()[0]);
            batch.check(sleepers.run_woken(), members);
        });
    });
}

/// Members, each read by a task, and as much of a runtime as it takes to run those that are woken.
struct Sleepers<S: Sleep> {
    system: Rc<S>,
    room: S::Room,
    tasks: Vec<Task>,
    woken: Arc<Mutex<Vec<usize>>>,
    /// The other of two buffers.
    running: Vec<usize>,
    read: Rc<Cell<Tally>>,
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    waker: Waker,
}

struct Alarm {
    task: usize,
    woken: Arc<Mutex<Vec<usize>>>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.lock().push(self.task);
    }
}

impl<S: Sleep + 'static> Sleepers<S> {
    fn new(members: usize) -> Self {
        let (system, sockets) = S::new(members, 1);
        let room = system.room("all");
        let (system, read, woken) = (Rc::new(system), Rc::default(), Arc::default());
        let task = |(task, mut socket)| {
            system.join(&mut socket, &room);
            let waker = Arc::new(Alarm { task, woken: Arc::clone(&woken) }).into();
            Task { future: Box::pin(read_all(Rc::clone(&system), socket, Rc::clone(&read))), waker }
        };
        let tasks = sockets.into_iter().enumerate().map(task).collect();
        let mut sleepers = Self { system, room, tasks, woken, running: (0..members).collect(), read };
        sleepers.run();
        sleepers
    }

    /// Runs each task that was woken, once, and returns what they have read.
    fn run_woken(&mut self) -> Tally {
        std::mem::swap(&mut self.running, &mut *self.woken.lock());
        assert_eq!(self.running.len(), self.tasks.len(), "wake-ups of {}", S::ID);
        self.run();
        self.read.take()
    }

    fn run(&mut self) {
        for number in self.running.drain(..) {
            let Task { future, waker } = &mut self.tasks[number];
            assert!(
                future.as_mut().poll(&mut Context::from_waker(waker)).is_pending(),
                "there is more to come"
            );
        }
    }
}

async fn read_all<S: Sleep>(system: Rc<S>, mut socket: S::Socket, read: Rc<Cell<Tally>>) {
    loop {
        let word = system.next(&mut socket).await;
        let mut tally = read.get();
        tally.add(word);
        read.set(tally);
    }
}
