//! What Whisper writes when it hears nothing: the credits and farewells of the subtitles it was trained on.

/// Whole utterances, normalised. People say many of these too, so they count against a text on weak evidence only.
const WHOLE: &[&str] = &[
    "you",
    "thank you",
    "thank you so much",
    "thank you very much",
    "thank you for watching",
    "thank you for listening",
    "thanks",
    "thanks for watching",
    "thanks for listening",
    "bye",
    "bye bye",
    "goodbye",
    "okay",
    "oh",
    "uh",
    "um",
    "hmm",
    "mm",
    "mm hmm",
    "ah",
    "so",
    "the end",
    "i'm sorry",
    "i'll see you next time",
    "see you next time",
    "see you in the next video",
    "we'll be right back",
    "music",
    "applause",
    "laughter",
    "silence",
    "foreign",
    "beep",
    "click",
    "blank audio",
    "sous titres réalisés par la communauté d'amara org",
    "sous titrage st 501",
    "untertitel der amara org community",
    "untertitel im auftrag des zdf für funk 2017",
    "vielen dank",
    "vielen dank fürs zuschauen",
    "gracias",
    "gracias por ver el video",
    "subtítulos realizados por la comunidad de amara org",
    "legendas pela comunidade amara org",
    "sottotitoli creati dalla comunità amara org",
    "merci",
    "merci d'avoir regardé cette vidéo",
    "продолжение следует",
    "спасибо за просмотр",
    "ご視聴ありがとうございました",
    "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目",
    "시청해주셔서 감사합니다",
];

/// Credits: on weak evidence a text that holds one of these is invented, whatever else it says.
const CREDITS: &[&str] = &[
    "amara org",
    "thanks for watching",
    "thank you for watching",
    "please subscribe",
    "like and subscribe",
    "subscribe to my channel",
    "subscribe to the channel",
    "subtitles by",
    "subtitled by",
    "captions by",
    "captioned by",
    "transcribed by",
    "transcription by",
    "copyright",
    "all rights reserved",
    "www ",
    "castingwords",
];

/// Whether the text is one of the phrases, alone or several times.
pub(super) fn is_stock(text: &str) -> bool {
    let words = super::words(text);
    let normal = words.join(" ");
    if CREDITS.iter().any(|credit| normal.contains(credit)) {
        return true;
    }
    WHOLE.iter().any(|phrase| {
        let length = phrase.split(' ').count();
        words.len().is_multiple_of(length) && words.chunks(length).all(|chunk| chunk.join(" ") == *phrase)
    })
}
