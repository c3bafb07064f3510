//! The spans of a turn that is over.

use goobster_core::time::Moment;

use super::book::{Answer, Open};
use super::{Mark, Span, TurnTrace, Value, field, span};

/// Collects the spans of one turn; every moment is brought within the turn's.
struct Builder {
    from: Moment,
    upto: Moment,
    spans: Vec<Span>,
}

impl Builder {
    fn add(
        &mut self,
        name: &'static str,
        parent: Option<usize>,
        (from, upto): (Moment, Moment),
        fields: Vec<(&'static str, Value)>,
    ) -> usize {
        // A child never reaches beyond its parent, whatever the clocks of ears and room say.
        let (first, last) = parent
            .and_then(|parent| self.spans.get(parent))
            .map_or((self.from, self.upto), |parent| (parent.from, parent.upto));
        let from = from.clamp(first, last);
        self.spans.push(Span {
            name,
            parent,
            from,
            upto: upto.clamp(from, last),
            fields,
            marks: Vec::new(),
            failed: false,
        });
        self.spans.len() - 1
    }

    fn with(&mut self, at: usize, marks: impl IntoIterator<Item = Mark>, failed: bool) {
        if let Some(span) = self.spans.get_mut(at) {
            let (from, upto) = (span.from, span.upto);
            span.marks = marks
                .into_iter()
                .map(|mark| Mark {
                    at: mark.at.clamp(from, upto),
                    ..mark
                })
                .collect();
            span.failed = failed;
        }
    }
}

/// The trace of a turn that ends now.
pub(super) fn built(open: &Open, now: Moment, outcome: &'static str, conversation: u32) -> TurnTrace {
    let upto = now.max(open.began);
    let mut builder = Builder {
        from: open.began,
        upto,
        spans: Vec::new(),
    };
    let mut fields = vec![
        (field::TURN, Value::Number(open.turn.get())),
        (field::SPEAKER, Value::Number(open.speaker)),
        (field::CONVERSATION, Value::Number(u64::from(conversation))),
        (field::OUTCOME, Value::Word(outcome)),
    ];
    if open.left_out > 0 {
        fields.push((field::LEFT_OUT, Value::Number(open.left_out)));
    }
    let root = builder.add(span::TURN, None, (open.began, upto), fields);
    builder.with(root, [], matches!(outcome, "failed" | "not_understood"));
    let speech_ended = open.ended.map_or(upto, |(speech_ended, _)| speech_ended);
    let listen = builder.add(span::LISTEN, Some(root), (open.began, speech_ended), Vec::new());
    builder.with(listen, open.marks.iter().copied(), false);
    if let Some((speech_ended, sure)) = open.ended {
        builder.add(span::ENDPOINT, Some(root), (speech_ended, sure), Vec::new());
    }
    for decode in &open.decodes {
        let (over, outcome) = decode.over.unwrap_or((upto, "unfinished"));
        let millis = u64::try_from(decode.audio.as_millis()).unwrap_or(u64::MAX);
        let fields = vec![
            (field::CLASS, Value::Word(decode.class)),
            (field::AUDIO, Value::Number(millis)),
            (field::OUTCOME, Value::Word(outcome)),
        ];
        let at = builder.add(span::DECODE, Some(root), (decode.from, over), fields);
        builder.with(at, [], matches!(outcome, "failed" | "overloaded"));
    }
    let understood = open.captioned.or(open.not_understood);
    if let Some((_, sure)) = open.ended {
        let at = builder.add(
            span::RECOGNISE,
            Some(root),
            (sure, understood.unwrap_or(upto)),
            Vec::new(),
        );
        builder.with(at, [], open.not_understood.is_some());
    }
    if let Some(understood) = understood {
        let decided = open.decided.unwrap_or(upto);
        builder.add(span::DECIDE, Some(root), (understood, decided), Vec::new());
    }
    for answer in &open.answers {
        reply(&mut builder, root, answer, upto);
    }
    TurnTrace { spans: builder.spans }
}

fn reply(builder: &mut Builder, root: usize, answer: &Answer, upto: Moment) {
    let (closed, outcome) = answer.closed.unwrap_or((upto, "unfinished"));
    let fields = vec![
        (field::REPLY, Value::Number(answer.reply)),
        (field::KIND, Value::Word(answer.kind)),
        (field::TURNS, Value::Number(answer.turns.len() as u64)),
        (field::OUTCOME, Value::Word(outcome)),
    ];
    let reply = builder.add(span::REPLY, Some(root), (answer.opened, closed), fields);
    builder.with(reply, [], outcome == "failed");
    if let Some(asked) = answer.asked {
        let (over, outcome) = answer.answered.unwrap_or((closed, "called_off"));
        let fields = vec![(field::OUTCOME, Value::Word(outcome))];
        let at = builder.add(span::RESPOND, Some(reply), (asked, over), fields);
        let words = answer.words.map(|at| Mark {
            name: "first_words",
            at,
        });
        builder.with(at, words, outcome == "failed");
    }
    if let Some(sentence) = answer.sentence {
        let made = answer.synthesised.unwrap_or(closed);
        builder.add(span::SYNTHESISE, Some(reply), (sentence, made), Vec::new());
    }
    if let Some(audible) = answer.audible {
        builder.add(span::PLAY, Some(reply), (audible, closed), Vec::new());
    }
}
