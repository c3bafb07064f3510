//! Parts from closures: for tests, benchmarks, examples, and whoever needs no type of their own.

use std::sync::Arc;

use super::Session;
use super::resources::{Notice, Part, PartError, PartKind, SessionParts, StopCause, VoiceConnection};
use crate::ports::PortFuture;

type MakePart = dyn Fn(&Arc<Session>) -> Result<Arc<dyn Part>, PartError> + Send + Sync;
type MakeConnection = dyn Fn() -> Arc<dyn VoiceConnection> + Send + Sync;
type Work = dyn Fn(&Arc<Session>) -> PortFuture<'static, Result<(), PartError>> + Send + Sync;
type Notify = dyn Fn(&Arc<Session>, Notice) + Send + Sync;

/// A session's parts, each made by a closure when it is needed. What is not given, the session does not have.
#[derive(Default)]
pub struct Parts {
    connection: Option<Box<MakeConnection>>,
    makers: [Option<Box<MakePart>>; PartKind::ALL.len()],
    work: Option<Box<Work>>,
    notify: Option<Box<Notify>>,
}

impl Parts {
    /// No parts at all: a session that only keeps its books.
    pub fn none() -> Self {
        Self::default()
    }

    /// The voice connection of the call; it must not be joined yet.
    #[must_use]
    pub fn connection<C: VoiceConnection>(
        mut self,
        make: impl Fn() -> Arc<C> + Send + Sync + 'static,
    ) -> Self {
        self.connection = Some(Box::new(move || make()));
        self
    }

    /// A part; made again when it is replaced.
    #[must_use]
    pub fn part<P: Part>(
        mut self,
        kind: PartKind,
        make: impl Fn(&Arc<Session>) -> Result<Arc<P>, PartError> + Send + Sync + 'static,
    ) -> Self {
        self.makers[kind as usize] = Some(Box::new(move |session| {
            make(session).map(|part| part as Arc<dyn Part>)
        }));
        self
    }

    /// The session's own work: the conversation.
    #[must_use]
    pub fn work<F>(mut self, work: impl Fn(Arc<Session>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), PartError>> + Send + 'static,
    {
        self.work = Some(Box::new(move |session| Box::pin(work(Arc::clone(session)))));
        self
    }

    /// How the user is told something.
    #[must_use]
    pub fn notify(mut self, notify: impl Fn(&Arc<Session>, Notice) + Send + Sync + 'static) -> Self {
        self.notify = Some(Box::new(notify));
        self
    }
}

impl SessionParts for Parts {
    fn connection(&self) -> Arc<dyn VoiceConnection> {
        self.connection.as_ref().map_or_else(
            || Arc::new(NoConnection) as Arc<dyn VoiceConnection>,
            |make| make(),
        )
    }

    fn make<'a>(
        &'a self,
        kind: PartKind,
        session: &'a Arc<Session>,
    ) -> PortFuture<'a, Result<Option<Arc<dyn Part>>, PartError>> {
        Box::pin(async move {
            self.makers[kind as usize]
                .as_ref()
                .map(|make| make(session))
                .transpose()
        })
    }

    fn work(&self, session: &Arc<Session>) -> Option<PortFuture<'static, Result<(), PartError>>> {
        self.work.as_ref().map(|work| work(session))
    }

    fn notify<'a>(
        &'a self,
        session: &'a Arc<Session>,
        notice: Notice,
    ) -> PortFuture<'a, Result<(), PartError>> {
        if let Some(notify) = &self.notify {
            notify(session, notice);
        }
        Box::pin(async { Ok(()) })
    }
}

/// A call without a connection.
struct NoConnection;

impl Part for NoConnection {
    fn stop(&self, _cause: StopCause) -> PortFuture<'_, Result<(), PartError>> {
        Box::pin(async { Ok(()) })
    }
}

impl VoiceConnection for NoConnection {
    fn open(&self) -> PortFuture<'_, Result<(), PartError>> {
        Box::pin(async { Ok(()) })
    }
}
