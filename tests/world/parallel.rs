//! Many cases at once, and all that fail told together.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A run waits for others more than it computes: two cores bear more than two at once.
const AT_ONCE: usize = 6;

/// Tries each case, which panics where it fails.
#[track_caller]
pub(crate) fn each<T: Sync + Display>(cases: &[T], try_one: impl Fn(&T) + Sync) {
    assert!(!cases.is_empty(), "there is no case");
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let tried = catch_unwind(AssertUnwindSafe(|| try_one(case)));
                    let Err(panicked) = tried else {
                        continue;
                    };
                    let why = panicked
                        .downcast_ref::<String>()
                        .cloned()
                        .or_else(|| panicked.downcast_ref::<&str>().map(ToString::to_string));
                    let why = why.unwrap_or_default();
                    failed.lock().unwrap().push(format!("{case}\n{why}"));
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(
        failed.is_empty(),
        "{} of {} failed:\n\n{}",
        failed.len(),
        cases.len(),
        failed.join("\n\n")
    );
}
