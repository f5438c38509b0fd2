//! Running code that is not ours where its panic has nobody to go to.

use std::panic::{self, AssertUnwindSafe};

/// Runs a wake-up or a payload's `Drop`. A panic in it ends here (the panic hook has told of it): the
/// thread that happens to run it, a publisher or another reader, is not to blame.
pub(crate) fn contain(code: impl FnOnce()) {
    if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(code)) {
        // What was thrown has a `Drop` of its own. What that throws is let be: there has to be an end.
        if let Err(again) = panic::catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            std::mem::forget(again);
        }
    }
}
