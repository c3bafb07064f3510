//! A panic stays with whoever panicked: it becomes an error, told like any other.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Runs a future; when it panics, what it said. It is dropped then, and with it what it was in the middle of.
///
/// # Errors
/// The words of the panic.
pub async fn contained<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    std::future::poll_fn(move |context| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panic) => Poll::Ready(Err(words(panic.as_ref()))),
        }
    })
    .await
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a word".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_and_all_else_is_as_it_was() {
        assert_eq!(contained(async { 7 }).await, Ok(7));
        let late = contained(async {
            tokio::task::yield_now().await;
            "no number".parse::<u8>().expect("a number")
        });
        assert!(late.await.unwrap_err().starts_with("a number"));
    }
}
