//! What the engine asks and tells, and what the two halves of a client share: whether there is something to be sent.

use std::sync::atomic::{AtomicBool, Ordering};

use roomcast::{Handshake, Transport};
use tokio::sync::Notify;

/// The transport, as the engine sees it. Tells that there is something to be sent, and that it was taken.
#[derive(Debug, Default)]
pub(super) struct Wake {
    handshake: Handshake,
    is_due: AtomicBool,
    due: Notify,
    taken: Notify,
}

impl Transport for Wake {
    fn handshake(&self) -> Handshake {
        self.handshake.clone()
    }

    fn wake(&self) {
        self.is_due.store(true, Ordering::Release);
        self.due.notify_one();
    }
}

impl Wake {
    pub(super) fn new(handshake: Handshake) -> Self {
        Self { handshake, ..Self::default() }
    }

    /// Takes what is to be sent, by a `take` that returns whether it has left something.
    pub(super) fn take(&self, take: impl FnOnce() -> bool) {
        self.is_due.store(false, Ordering::Release);
        if take() {
            self.is_due.store(true, Ordering::Release);
        }
        self.taken.notify_one();
    }

    /// Waits until there may be something to be sent.
    pub(super) async fn due(&self) {
        self.due.notified().await;
    }

    /// Waits until nothing is left to be sent.
    pub(super) async fn all_taken(&self) {
        while self.is_due.load(Ordering::Acquire) {
            self.taken.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn whoever_waits_goes_on_when_all_is_taken() {
        let wake = Arc::new(Wake::default());
        wake.all_taken().await; // nothing is due
        wake.wake();
        wake.due().await;
        let waiting = tokio::spawn({
            let wake = Arc::clone(&wake);
            async move { wake.all_taken().await }
        });
        wake.take(|| true);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        wake.take(|| false);
        waiting.await.unwrap();
    }
}
