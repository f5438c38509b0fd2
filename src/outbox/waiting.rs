//! Waiting until there is something to drain: by blocking a thread, or in a task.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::Outbox;
use crate::mailbox::Wake;
use crate::sync::{Receiver, Sender, bounded};

/// A channel with room for one token. A stale one only costs another look.
pub(super) type Tokens = (Sender<()>, Receiver<()>);

impl Outbox {
    /// Waits until there is something to drain, blocking the thread.
    ///
    /// Returns at once if there was something since the last drain began, or that drain has
    /// [stopped](Self::try_drain); and once all is over, when [`closed`](Self::closed) says why. It may turn out to be
    /// about nothing that is sent. The first call has the sockets of this connection tell of what they are sent, also
    /// if its transport is [polled](crate::Transport::is_polled).
    ///
    /// ```
    /// use roomcast::{ClientPacket, Engine, Outbox, Payload, ServerPacket};
    ///
    /// /// Runs on a thread of its own until the connection is closed.
    /// fn write(mut outbox: Outbox, mut send: impl FnMut(ServerPacket<'_>)) {
    ///     while outbox.closed().is_none() {
    ///         outbox.wait();
    ///         outbox.drain(&mut send);
    ///     }
    /// }
    ///
    /// let engine = Engine::new();
    /// let (connection, outbox) = engine.connect(());
    /// let writer = std::thread::spawn(move || {
    ///     let mut seen = Vec::new();
    ///     write(outbox, |packet| {
    ///         if let ServerPacket::Event { delivery, .. } = packet {
    ///             seen.push(delivery.event().to_owned());
    ///         }
    ///     });
    ///     seen
    /// });
    /// connection.receive(ClientPacket::Connect { namespace: "/", auth: Payload::default() })?;
    /// engine.of("/")?.emit("hello", ())?;
    /// connection.close("good night");
    /// assert_eq!(writer.join().unwrap(), ["hello"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(&mut self) {
        let (sender, receiver) = self.tokens();
        while self.sleep(|| Wake::Thread(sender.clone())) {
            // This outbox holds a sender, so it cannot fail.
            let _ = receiver.recv();
        }
    }

    /// As [`wait`](Self::wait), for as long as `timeout`; and returns whether there is something to drain.
    pub fn wait_timeout(&mut self, timeout: Duration) -> bool {
        let Some(deadline) = Instant::now().checked_add(timeout) else {
            self.wait();
            return true;
        };
        let (sender, receiver) = self.tokens();
        while self.sleep(|| Wake::Thread(sender.clone())) {
            if receiver.recv_deadline(deadline).is_err() {
                return self.is_ready(); // what came at that moment is not left behind
            }
        }
        true
    }

    /// As [`wait`](Self::wait), on any runtime.
    ///
    /// Cancel safe: dropping the future loses nothing.
    pub async fn wait_async(&mut self) {
        poll_fn(|cx| self.poll_wait(cx)).await;
    }

    /// Tells whether there is something to drain, or has the task woken when there is, or all is over. One that waits
    /// takes the place of one that waited before, whatever way.
    pub fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.sleep(|| Wake::Task(cx.waker().clone())) { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Leaves word to be woken, unless there is something to drain: then it returns false.
    fn sleep(&mut self, wake: impl FnOnce() -> Wake) -> bool {
        if !self.is_watching {
            self.watch();
        }
        !self.is_ready() && self.core.outgoing.sleep(wake())
    }

    fn is_ready(&self) -> bool {
        self.closed.is_some() || self.core.outgoing.is_signalled()
    }

    fn tokens(&mut self) -> Tokens {
        self.tokens.get_or_insert_with(|| bounded(1)).clone()
    }
}
