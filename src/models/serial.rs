//! Jobs brought by several threads: each done once, one at a time, none stranded.

use std::sync::{Arc as StdArc, Mutex as StdMutex};

use loom::thread;

use super::{Token, all, explore};
use crate::serial::Serial;
use crate::sync::{Arc, AtomicBool, Ordering, UnsafeCell};

/// Jobs, and a place that loom lets nobody use at the same time, nor unordered.
struct Desk {
    jobs: Serial<Token>,
    at_work: UnsafeCell<()>,
    /// Loads of it are where loom switches in the middle of a job.
    pause: AtomicBool,
    /// By whom each was done. What loom does not see.
    done: StdArc<StdMutex<Vec<(usize, u64)>>>,
}

impl Desk {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            jobs: Serial::new(),
            at_work: UnsafeCell::new(()),
            pause: AtomicBool::new(false),
            done: StdArc::default(),
        })
    }

    fn run(&self, thread: usize) {
        self.jobs.run(|job| {
            self.at_work.with_mut(|_| self.pause.load(Ordering::Relaxed));
            self.done.lock().unwrap().push((thread, job.number));
        });
    }

    fn bring(&self, thread: usize, number: u64) {
        self.jobs.push_always(Token::new(number));
        self.run(thread);
    }
}

#[test]
fn every_job_is_done_once_and_none_is_stranded() {
    let outcomes = explore("two threads with two jobs each", 100, || {
        let desk = Desk::new();
        let other = thread::spawn({
            let desk = Arc::clone(&desk);
            move || [3, 4].map(|number| desk.bring(2, number))
        });
        desk.bring(1, 1);
        desk.bring(1, 2);
        other.join().unwrap();
        assert_eq!(desk.jobs.len(), 0, "stranded");
        let done = desk.done.lock().unwrap();
        let order: Vec<u64> = done.iter().map(|(_, number)| *number).collect();
        let place = |number| order.iter().position(|&it| it == number).unwrap();
        assert_eq!(order.len(), 4);
        assert!(place(1) < place(2) && place(3) < place(4), "{order:?}");
        let by_other = |own: [u64; 2], thread| {
            done.iter().filter(|(by, number)| own.contains(number) && *by != thread).count()
        };
        (by_other([1, 2], 1), by_other([3, 4], 2))
    });
    // Each thread has done its own, or some of the other's too.
    assert!(outcomes.is_superset(&all([(0, 0), (1, 0), (2, 0), (0, 1), (0, 2)])), "{outcomes:?}");
}

#[test]
fn three_threads_strand_nothing() {
    explore("three threads with a job each", 600, || {
        let desk = Desk::new();
        let others = [2, 3].map(|thread| {
            let desk = Arc::clone(&desk);
            thread::spawn(move || desk.bring(thread, thread as u64))
        });
        desk.bring(1, 1);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!((desk.jobs.len(), desk.done.lock().unwrap().len()), (0, 3));
    });
}
