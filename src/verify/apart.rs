//! What waits on the spot, in a thread of its own: the probers, the C library's resolver. Tokio's
//! threads for such work would be waited for at the end of the program.

use std::panic::resume_unwind;
use std::thread;

use tokio::sync::oneshot;

/// Work under way. What nobody waits for any more ends with the process.
pub(super) struct Apart<T> {
    thread: thread::JoinHandle<()>,
    answer: oneshot::Receiver<T>,
}

/// Starts it.
pub(super) fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Apart<T> {
    let (sender, answer) = oneshot::channel();
    let thread = thread::spawn(move || {
        // Nobody listens any more once the matter is decided.
        let _ = sender.send(work());
    });
    Apart { thread, answer }
}

impl<T> Apart<T> {
    /// What it has found, once it has.
    pub(super) async fn end(self) -> T {
        match self.answer.await {
            Ok(answer) => answer,
            // Only a panic ends the thread without an answer.
            Err(_) => match self.thread.join() {
                Err(panic) => resume_unwind(panic),
                Ok(()) => std::future::pending().await,
            },
        }
    }

    /// What it has found, if it has by now.
    pub(super) fn now(mut self) -> Option<T> {
        self.answer.try_recv().ok()
    }
}
