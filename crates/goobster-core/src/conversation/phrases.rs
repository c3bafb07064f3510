//! What Goobster says of its own accord, in the languages where we are sure of the words.

use super::Failure;
use crate::language::Language;

/// Something Goobster says by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phrase {
    /// Somebody said only the name.
    Attention,
    /// The responder failed before the first word.
    NoReply(Failure),
    /// The responder broke off in the middle.
    CutOff,
    /// The responder had nothing to say.
    Speechless,
    /// A turn could not be recognised.
    NotHeard,
    /// Too many timers.
    TimersFull,
}

/// The words for it, in this language or else in English.
pub fn phrase(phrase: Phrase, language: Language) -> &'static str {
    use Failure::{BadAnswer, Misconfigured, Other, TimedOut, Unreachable};
    use Phrase::{Attention, CutOff, NoReply, NotHeard, Speechless, TimersFull};
    match (language.code(), phrase) {
        ("de", Attention) => "Ja?",
        ("de", NoReply(Unreachable)) => "Entschuldigung, ich konnte meinen Chat-Server nicht erreichen.",
        ("de", NoReply(TimedOut)) => "Entschuldigung, mein Chat-Server hat zu lange gebraucht.",
        ("de", NoReply(BadAnswer | Other)) => {
            "Entschuldigung, mein Chat-Server hat keine brauchbare Antwort gegeben."
        }
        ("de", NoReply(Misconfigured)) => "Entschuldigung, mein Chat-Server ist nicht richtig eingerichtet.",
        ("de", CutOff) => "Entschuldigung, die Verbindung zu meinem Chat-Server ist abgebrochen.",
        ("de", Speechless) => "Darauf habe ich keine Antwort.",
        ("de", NotHeard) => "Entschuldigung, das konnte ich nicht verstehen.",
        ("fr", Attention) => "Oui ?",
        ("fr", NoReply(Unreachable)) => "Désolé, je n'ai pas pu joindre mon serveur de discussion.",
        ("fr", NoReply(TimedOut)) => "Désolé, mon serveur de discussion a mis trop de temps.",
        ("fr", CutOff) => "Désolé, la connexion à mon serveur de discussion a été coupée.",
        ("fr", Speechless) => "Je n'ai pas de réponse à cela.",
        ("fr", NotHeard) => "Désolé, je n'ai pas pu comprendre.",
        ("es", Attention) => "¿Sí?",
        ("es", NoReply(Unreachable)) => "Lo siento, no pude conectar con mi servidor de chat.",
        ("es", NoReply(TimedOut)) => "Lo siento, mi servidor de chat tardó demasiado.",
        ("es", CutOff) => "Lo siento, se cortó la conexión con mi servidor de chat.",
        ("es", Speechless) => "No tengo respuesta para eso.",
        ("es", NotHeard) => "Lo siento, no pude entender eso.",
        (_, Attention) => "Yes?",
        (_, NoReply(Unreachable)) => "Sorry, I could not reach my chat server.",
        (_, NoReply(TimedOut)) => "Sorry, my chat server took too long to answer.",
        (_, NoReply(BadAnswer | Other)) => "Sorry, my chat server gave me no usable answer.",
        (_, NoReply(Misconfigured)) => "Sorry, my chat server is not set up right.",
        (_, CutOff) => "Sorry, I lost my chat server in the middle of that.",
        (_, Speechless) => "I have no answer to that.",
        (_, NotHeard) => "Sorry, I could not make that out.",
        (_, TimersFull) => "But I cannot keep any more timers.",
    }
}
