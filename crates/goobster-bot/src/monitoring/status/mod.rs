//! The status page: who is in a session and heard, how long people wait, what went wrong, and a session ended.
//!
//! The page itself is public and holds nothing; what it shows is asked for with the operator's token in a header. No cookie
//! is ever set, so another site's page can neither read nor end anything.

mod door;
mod report;

use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use goobster_core::session::CloseReason;
use http_body_util::Full;
use hyper::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use self::door::Door;
use super::server::{Answer, text};
use super::signs::Signs;
use crate::cli::exit::Failure;
use crate::config::Status;
use crate::discord::bot::Late;

const HTML: &str = include_str!("page.html");

/// The status page of one bot.
pub(super) struct Page {
    door: Door,
    policy: HeaderValue,
    late: Late,
    signs: Arc<Signs>,
}

impl Page {
    /// A page that opens to the configured token.
    ///
    /// # Errors
    /// A token that is missing, or too short to be one.
    pub(super) fn new(config: &Status, late: Late, signs: Arc<Signs>) -> Result<Self, Failure> {
        let policy = HeaderValue::from_str(&policy(HTML))
            .map_err(|error| Failure::Failed(format!("the status page: {error}")))?;
        Ok(Self {
            door: Door::from_environment(&config.token_env)?,
            policy,
            late,
            signs,
        })
    }

    /// Answers a request.
    pub(super) async fn answer<B>(&self, request: Request<B>) -> Answer {
        let path = request.uri().path().to_owned();
        match (request.method().clone(), path.as_str()) {
            (Method::GET, "/") => self.html(),
            (Method::GET, "/api/status") => match self.door.lets_in(request.headers()).await {
                Err(refused) => refused,
                Ok(()) => json(
                    StatusCode::OK,
                    &report::of(self.late.get().as_deref(), &self.signs).await,
                ),
            },
            (Method::POST, path) if path.starts_with("/api/sessions/") && path.ends_with("/end") => {
                match self.door.lets_act(request.headers()).await {
                    Err(refused) => refused,
                    Ok(()) => self.end(path),
                }
            }
            (_, "/" | "/api/status") => text(StatusCode::METHOD_NOT_ALLOWED, "only GET"),
            _ => text(StatusCode::NOT_FOUND, "there is nothing here"),
        }
    }

    fn html(&self) -> Answer {
        let mut answer = Response::new(Full::new(Bytes::from_static(HTML.as_bytes())));
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        answer
    }

    fn end(&self, path: &str) -> Answer {
        let id = path.trim_start_matches("/api/sessions/").trim_end_matches("/end");
        let Some(bot) = self.late.get() else {
            return text(StatusCode::SERVICE_UNAVAILABLE, "the bot is not there yet");
        };
        let sessions = bot.sessions();
        let Some(found) = sessions
            .list()
            .into_iter()
            .find(|session| session.id.to_string() == id)
        else {
            return text(StatusCode::NOT_FOUND, "there is no such session any more");
        };
        match sessions.end_because(found.id, CloseReason::EndedByModerator(bot.id())) {
            Ok(ending) => {
                // It ends by itself; the page shows when it is gone.
                drop(ending);
                tracing::info!(session = %found.id, "ended from the status page");
                text(StatusCode::ACCEPTED, "it is being ended")
            }
            Err(refusal) => text(StatusCode::CONFLICT, &refusal.to_string()),
        }
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(body) => {
            let mut answer = Response::new(Full::new(Bytes::from(body)));
            *answer.status_mut() = status;
            answer
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            answer
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Nothing but what is in the page may run, and it may talk to nobody else.
fn policy(html: &str) -> String {
    let hash = |tag: &str| {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let inside = html
            .split_once(&open)
            .and_then(|(_, rest)| rest.split_once(&close));
        let digest = Sha256::digest(inside.map_or("", |(inside, _)| inside));
        base64::engine::general_purpose::STANDARD.encode(digest)
    };
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_all_it_needs_and_asks_nobody_else() {
        assert_eq!(HTML.matches("<script>").count(), 1);
        assert_eq!(HTML.matches("<style>").count(), 1);
        for foreign in [
            "http://", "https://", "src=", "@import", "url(", " style=", "onclick=",
        ] {
            assert!(!HTML.contains(foreign), "{foreign}");
        }
        // Words of people are text, never HTML.
        assert!(!HTML.contains("innerHTML") && !HTML.contains("insertAdjacentHTML"));
    }

    async fn asked(page: &Page, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        page.answer(request.body(()).unwrap()).await
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_token_opens_and_only_its_own_page_acts() {
        let page = Page {
            door: Door::with("correct-horse-battery-staple"),
            policy: HeaderValue::from_static("x"),
            late: Late::default(),
            signs: Arc::default(),
        };
        let bearer = ("authorization", "Bearer correct-horse-battery-staple");
        assert_eq!(asked(&page, Method::GET, "/", &[]).await.status(), StatusCode::OK);
        for wrong in [
            &[][..],
            &[("authorization", "Bearer correct-horse-battery-stapl")],
            &[("authorization", "Basic correct-horse-battery-staple")],
            &[("cookie", "token=correct-horse-battery-staple")],
        ] {
            let answer = asked(&page, Method::GET, "/api/status", wrong).await;
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{wrong:?}");
        }
        assert_eq!(
            asked(&page, Method::GET, "/api/status", &[bearer]).await.status(),
            StatusCode::OK
        );
        let end = "/api/sessions/7/end";
        assert_eq!(
            asked(&page, Method::POST, end, &[]).await.status(),
            StatusCode::UNAUTHORIZED
        );
        for foreign in [
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://elsewhere.example"),
        ] {
            let answer = asked(
                &page,
                Method::POST,
                end,
                &[bearer, foreign, ("host", "127.0.0.1:1")],
            )
            .await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{foreign:?}");
        }
        let own = [
            bearer,
            ("origin", "http://127.0.0.1:1"),
            ("host", "127.0.0.1:1"),
            ("sec-fetch-site", "same-origin"),
        ];
        // It would act, were there a bot.
        assert_eq!(
            asked(&page, Method::POST, end, &own).await.status(),
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(
            asked(&page, Method::GET, end, &own).await.status(),
            StatusCode::NOT_FOUND
        );
    }
}
