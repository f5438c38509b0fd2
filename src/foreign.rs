//! Running code that is not ours where its panic has nobody to go to.

use std::panic::{self, AssertUnwindSafe};

/// Runs a wake-up or a payload's `Drop`. A panic in it ends here (the panic hook has told of it): the
/// thread that happens to run it, a publisher or another reader, is not to blame.
pub(crate) fn contain(code: impl FnOnce()) {
    if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(code)) {
        std::mem::forget(panic); // its own `Drop` may panic again
    }
}
