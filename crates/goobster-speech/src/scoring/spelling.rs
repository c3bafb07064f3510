//! British to American spelling, so that "colour" heard as "color" is no error.
//!
//! Word families by stem rather than Whisper's list of 1,740 words: both texts go through the same rules, so a family
//! too many merges nothing that a listener would tell apart.

/// "-our" stems, whatever follows: "colour", "coloured", "discolouration".
const OUR: &[&str] = &[
    "arbour",
    "ardour",
    "armour",
    "behaviour",
    "candour",
    "clamour",
    "colour",
    "demeanour",
    "endeavour",
    "favour",
    "fervour",
    "flavour",
    "harbour",
    "honour",
    "humour",
    "labour",
    "neighbour",
    "odour",
    "parlour",
    "rancour",
    "rigour",
    "rumour",
    "saviour",
    "savour",
    "splendour",
    "succour",
    "tumour",
    "valour",
    "vapour",
    "vigour",
];

/// "-ise" verbs, up to the ending: "organise", "organising", "organisation".
const ISE: &[&str] = &[
    "agon",
    "amort",
    "antagon",
    "apolog",
    "author",
    "bapt",
    "brutal",
    "capital",
    "categor",
    "central",
    "character",
    "civil",
    "colon",
    "computer",
    "critic",
    "crystall",
    "custom",
    "demoral",
    "digit",
    "dramat",
    "econom",
    "emphas",
    "energ",
    "epitom",
    "equal",
    "familiar",
    "fantas",
    "fertil",
    "final",
    "formal",
    "general",
    "global",
    "harmon",
    "hospital",
    "hypnot",
    "ideal",
    "immobil",
    "immortal",
    "immun",
    "individual",
    "industrial",
    "initial",
    "item",
    "jeopard",
    "legal",
    "liberal",
    "local",
    "material",
    "maxim",
    "mechan",
    "memor",
    "minim",
    "mobil",
    "modern",
    "monopol",
    "moral",
    "national",
    "natural",
    "neutral",
    "normal",
    "optim",
    "organ",
    "ostrac",
    "oxid",
    "patron",
    "penal",
    "personal",
    "plagiar",
    "polar",
    "popular",
    "pressur",
    "prior",
    "privat",
    "public",
    "random",
    "rational",
    "real",
    "recogn",
    "revital",
    "revolution",
    "romantic",
    "sanit",
    "scrutin",
    "sensational",
    "sensit",
    "social",
    "special",
    "stabil",
    "standard",
    "steril",
    "stigmat",
    "subsid",
    "summar",
    "symbol",
    "sympath",
    "synchron",
    "synthes",
    "tantal",
    "terror",
    "theor",
    "traumat",
    "tranquil",
    "trivial",
    "util",
    "vandal",
    "verbal",
    "victim",
    "visual",
    "vocal",
];

/// "-re" words whose American form ends in "-er".
const RE: &[&str] = &[
    "calibre",
    "centimetre",
    "centre",
    "fibre",
    "goitre",
    "kilometre",
    "litre",
    "lustre",
    "manoeuvre",
    "meagre",
    "metre",
    "millilitre",
    "millimetre",
    "mitre",
    "nitre",
    "ochre",
    "sabre",
    "sceptre",
    "sepulchre",
    "sombre",
    "spectre",
    "theatre",
];

/// Verbs that double their "l" in British English: "travelled", "travelling", "traveller".
const DOUBLED_L: &[&str] = &[
    "cancel", "carol", "channel", "chisel", "counsel", "dial", "duel", "equal", "fuel", "funnel", "gravel",
    "grovel", "jewel", "label", "level", "libel", "marvel", "model", "panel", "pencil", "quarrel", "ravel",
    "revel", "rival", "shovel", "shrivel", "signal", "snorkel", "spiral", "swivel", "total", "towel",
    "travel", "tunnel", "unravel",
];

/// Single words and stems: a stem ends in "-".
const OTHERS: &[(&str, &str)] = &[
    ("aeroplane-", "airplane"),
    ("ageing", "aging"),
    ("aluminium", "aluminum"),
    ("anaesthe-", "anesthe"),
    ("analogue-", "analog"),
    ("analys-", "analyz"),
    ("archaeo-", "archeo"),
    ("artefact-", "artifact"),
    ("catalogue-", "catalog"),
    ("catalys-", "catalyz"),
    ("cheque-", "check"),
    ("chequered", "checkered"),
    ("cosy", "cozy"),
    ("defence-", "defense"),
    ("dialogue-", "dialog"),
    ("diarrhoea", "diarrhea"),
    ("draught-", "draft"),
    ("encyclopaedia-", "encyclopedia"),
    ("enrol", "enroll"),
    ("enrolment-", "enrollment"),
    ("foetal", "fetal"),
    ("foetus-", "fetus"),
    ("fulfil", "fulfill"),
    ("fulfilment-", "fulfillment"),
    ("gaol-", "jail"),
    ("grey-", "gray"),
    ("instalment-", "installment"),
    ("jewellery", "jewelry"),
    ("judgement-", "judgment"),
    ("kerb-", "curb"),
    ("licence-", "license"),
    ("manoeuvr-", "maneuver"),
    ("marvellous-", "marvelous"),
    ("mould-", "mold"),
    ("moustache-", "mustache"),
    ("oesophag-", "esophag"),
    ("oestrogen-", "estrogen"),
    ("offence-", "offense"),
    ("orthopaedic-", "orthopedic"),
    ("paediatric-", "pediatric"),
    ("paralys-", "paralyz"),
    ("plough-", "plow"),
    ("practise-", "practice"),
    ("practising", "practicing"),
    ("pretence-", "pretense"),
    ("programme", "program"),
    ("programmes", "programs"),
    ("pyjama-", "pajama"),
    ("sceptic-", "skeptic"),
    ("skilful-", "skillful"),
    ("smoulder-", "smolder"),
    ("speciality", "specialty"),
    ("storey-", "story"),
    ("sulphur-", "sulfur"),
    ("travelogue-", "travelog"),
    ("tyre", "tire"),
    ("tyres", "tires"),
    ("wilful-", "willful"),
    ("woollen-", "woolen"),
    ("yoghurt-", "yogurt"),
];

/// Respells each word of a lower-case text; words end up separated by single spaces.
pub(super) fn american(text: &str) -> String {
    text.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

fn word(word: &str) -> String {
    // "analysis" is spelt alike on both sides; only the verb differs.
    if word.starts_with("analysis")
        || word.starts_with("paralysis")
        || word.starts_with("catalys") && word.ends_with('t')
    {
        return word.to_owned();
    }
    for (british, american) in OTHERS {
        let rest = match british.strip_suffix('-') {
            Some(stem) => word.strip_prefix(stem),
            None => (word == *british).then_some(""),
        };
        if let Some(rest) = rest {
            return format!("{american}{rest}");
        }
    }
    if let Some((before, stem, after)) = OUR.iter().find_map(|stem| around(word, stem)) {
        return format!("{before}{}or{after}", &stem[..stem.len() - 3]);
    }
    if let Some((before, stem, after)) = RE.iter().find_map(|stem| around(word, stem))
        && before.is_empty()
    {
        match after {
            "" | "s" => return format!("{}er{after}", &stem[..stem.len() - 2]),
            "d" => return format!("{}ered", &stem[..stem.len() - 2]),
            _ => {}
        }
    }
    ise(word)
        .or_else(|| doubled_l(word))
        .unwrap_or_else(|| word.to_owned())
}

/// The stem with at most a prefix before it ("dis-", "un-", "mis-").
fn around<'a>(word: &'a str, stem: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
    let at = word.find(stem)?;
    let (before, after) = (&word[..at], &word[at + stem.len()..]);
    matches!(before, "" | "dis" | "un" | "mis" | "re").then_some((before, stem, after))
}

fn ise(word: &str) -> Option<String> {
    let endings = [
        "isations", "isation", "isers", "iser", "ised", "ises", "ising", "ise", "isable",
    ];
    let (stem, ending) = endings
        .iter()
        .find_map(|ending| Some((word.strip_suffix(ending)?, *ending)))?;
    let bare = ["dis", "un", "re", "de", "over", "mis"]
        .iter()
        .find_map(|prefix| stem.strip_prefix(prefix).filter(|bare| ISE.contains(bare)));
    (ISE.contains(&stem) || bare.is_some()).then(|| format!("{stem}{}", ending.replacen("is", "iz", 1)))
}

fn doubled_l(word: &str) -> Option<String> {
    let endings = ["lers", "ler", "led", "lings", "ling", "lors", "lor"];
    let (stem, ending) = endings
        .iter()
        .find_map(|ending| Some((word.strip_suffix(ending)?, *ending)))?;
    DOUBLED_L
        .contains(&stem)
        .then(|| format!("{stem}{}", &ending[1..]))
}
