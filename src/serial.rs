//! Jobs that are done one at a time, in the order in which they were brought, by whichever thread brings
//! one while nobody is at it. What callbacks of one socket run through.
//!
//! # Invariant
//!
//! While nobody runs, nobody has taken a job that is not done; while somebody does, that frame takes every
//! job that is waiting. It looks for the next job, and stops running for want of one, under the same hold of
//! the lock, so whoever [pushes](Serial::push) and then [runs](Serial::run) either becomes the one who
//! runs, or leaves its job to one who has yet to look. No job is stranded, and no two are done at a time.
//!
//! A job that is waiting stands in `first`, and those behind it in `rest`: `rest` is empty if `first` is.
//! While nobody runs and nothing waits, `rest` owns no memory.

use std::collections::VecDeque;
use std::fmt;

use crate::foreign::contain;
use crate::sync::Mutex;

/// A queue of jobs, and whether somebody is doing them.
pub(crate) struct Serial<T>(Mutex<Queue<T>>);

struct Queue<T> {
    /// One place without an allocation: most jobs are done before the next comes.
    first: Option<T>,
    rest: VecDeque<T>,
    is_running: bool,
}

impl<T> Serial<T> {
    /// Creates an empty one, which allocates nothing.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Queue { first: None, rest: VecDeque::new(), is_running: false }))
    }

    /// Adds a job behind those that wait, to be followed by [`run`](Self::run). Gives it back if `limit`
    /// jobs wait already; one that is being done does not count.
    pub(crate) fn push(&self, job: T, limit: usize) -> Result<(), T> {
        let mut queue = self.0.lock();
        if queue.len() >= limit {
            return Err(job);
        }
        queue.push(job);
        Ok(())
    }

    /// As [`push`](Self::push), however many wait.
    pub(crate) fn push_always(&self, job: T) {
        self.0.lock().push(job);
    }

    /// Does all jobs that wait, and those that come meanwhile, oldest first and under no lock. Returns at
    /// once if another thread is at it, or this one further out: then that does them, with its own `work`.
    ///
    /// A panic in `work` ends there, and with it that job.
    pub(crate) fn run(&self, mut work: impl FnMut(T)) {
        let Some(mut job) = self.begin() else { return };
        loop {
            contain(|| work(job));
            match self.next() {
                Some(next) => job = next,
                None => return,
            }
        }
    }

    /// Returns how many jobs wait, without one that is being done.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// The first job, for whoever is to run: nobody runs yet, and there is one.
    fn begin(&self) -> Option<T> {
        let mut queue = self.0.lock();
        if queue.is_running {
            return None;
        }
        let job = queue.pop()?;
        queue.is_running = true;
        Some(job)
    }

    /// The next job, for the one that runs, which runs no more if there is none.
    fn next(&self) -> Option<T> {
        let mut queue = self.0.lock();
        let job = queue.pop();
        if job.is_none() {
            queue.is_running = false;
            queue.rest = VecDeque::new();
        }
        job
    }
}

impl<T> Queue<T> {
    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    fn push(&mut self, job: T) {
        if self.first.is_none() {
            self.first = Some(job);
        } else {
            self.rest.push_back(job);
        }
    }

    fn pop(&mut self) -> Option<T> {
        let job = self.first.take()?;
        self.first = self.rest.pop_front();
        Some(job)
    }
}

impl<T> fmt::Debug for Serial<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serial").field("waiting", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(roomcast_loom)))]
mod tests {
    use std::cell::RefCell;
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn jobs_are_done_in_the_order_in_which_they_came() {
        let serial = Serial::new();
        (0..5).for_each(|job| serial.push_always(job));
        assert_eq!(serial.len(), 5);
        let mut done = Vec::new();
        serial.run(|job| done.push(job));
        assert_eq!(done, [0, 1, 2, 3, 4]);
        serial.run(|job| done.push(job));
        assert_eq!(done.len(), 5);
    }

    #[test]
    fn jobs_that_a_job_brings_are_done_after_it_and_those_that_wait() {
        let serial = Serial::new();
        let done = RefCell::new(Vec::new());
        serial.push_always(1);
        serial.push_always(2);
        serial.run(|job| {
            done.borrow_mut().push(job);
            if job < 10 {
                serial.push_always(job * 10);
                serial.run(|_| panic!("the outer frame is to do it"));
            }
            done.borrow_mut().push(-job);
        });
        assert_eq!(done.into_inner(), [1, -1, 2, -2, 10, -10, 20, -20]);
    }

    #[test]
    #[cfg(panic = "unwind")]
    fn a_job_that_panics_keeps_none_from_being_done() {
        let serial = Serial::new();
        (1..=4).for_each(|job| serial.push_always(job));
        let mut done = Vec::new();
        serial.run(|job| {
            assert!(job % 2 == 0, "as it should");
            done.push(job);
        });
        serial.push_always(6);
        serial.run(|job| done.push(job));
        assert_eq!(done, [2, 4, 6]);
    }

    #[test]
    fn no_more_wait_than_the_limit() {
        let serial = Serial::new();
        assert_eq!(serial.push('a', 0), Err('a'));
        assert_eq!(
            (serial.push('a', 2), serial.push('b', 2), serial.push('c', 2)),
            (Ok(()), Ok(()), Err('c'))
        );
        serial.push_always('d');
        let mut done = String::new();
        serial.run(|job| {
            done.push(job);
            if job == 'a' {
                // The one that is being done does not count: b and d wait.
                assert_eq!((serial.push('e', 3), serial.push('f', 3)), (Ok(()), Err('f')));
            }
        });
        assert_eq!(done, "abde");
    }

    #[test]
    fn an_idle_one_owns_no_memory() {
        let serial = Serial::new();
        let capacity = || serial.0.lock().rest.capacity();
        assert_eq!(serial.push(0, 1), Ok(()));
        assert_eq!(capacity(), 0);
        (1..1000).for_each(|job| serial.push_always(job));
        assert!(capacity() >= 999);
        serial.run(|_| {});
        assert_eq!(capacity(), 0);
    }

    #[test]
    fn jobs_brought_to_a_busy_thread_are_done_by_it() {
        let serial = Arc::new(Serial::new());
        let (go, gate) = channel::<()>();
        let (begun, has_begun) = channel();
        let (done, results) = channel();
        serial.push_always(1);
        let runner = thread::spawn({
            let serial = Arc::clone(&serial);
            move || {
                serial.run(|job| {
                    begun.send(()).unwrap();
                    gate.recv().unwrap();
                    done.send((job, thread::current().id())).unwrap();
                });
            }
        });
        has_begun.recv().unwrap();
        serial.push_always(2);
        serial.run(|_| panic!("the other thread is at it"));
        go.send(()).unwrap();
        go.send(()).unwrap();
        let id = runner.thread().id();
        runner.join().unwrap();
        assert_eq!(results.iter().collect::<Vec<_>>(), [(1, id), (2, id)]);
    }
}
