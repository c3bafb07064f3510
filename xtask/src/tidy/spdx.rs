//! SPDX licence expressions: whether what is allowed satisfies one.

/// Whether `expression` can be satisfied with the `allowed` licences. `a/b`, as old manifests have it, means `a OR b`.
pub(super) fn satisfied(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser {
        words: &words,
        allowed,
    };
    parser.either() == Some(true) && parser.words.is_empty()
}

struct Parser<'a> {
    words: &'a [&'a str],
    allowed: &'a [String],
}

impl Parser<'_> {
    fn eat(&mut self, word: &str) -> bool {
        let next = self.words.first().is_some_and(|w| w.eq_ignore_ascii_case(word));
        if next {
            self.words = &self.words[1..];
        }
        next
    }

    fn either(&mut self) -> Option<bool> {
        let mut result = self.both()?;
        while self.eat("OR") {
            result |= self.both()?;
        }
        Some(result)
    }

    fn both(&mut self) -> Option<bool> {
        let mut result = self.one()?;
        while self.eat("AND") {
            result &= self.one()?;
        }
        Some(result)
    }

    fn one(&mut self) -> Option<bool> {
        if self.eat("(") {
            let inner = self.either()?;
            return self.eat(")").then_some(inner);
        }
        let (licence, rest) = self.words.split_first()?;
        self.words = rest;
        let mut name = (*licence).to_owned();
        if self.eat("WITH") {
            let (exception, rest) = self.words.split_first()?;
            self.words = rest;
            // An exception only permits more, so the bare licence being allowed is enough.
            if self.allowed.contains(&name) {
                return Some(true);
            }
            name = format!("{name} WITH {exception}");
        }
        Some(self.allowed.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_weighed() {
        let allowed = [
            "MIT".to_owned(),
            "Apache-2.0".to_owned(),
            "Unicode-3.0".to_owned(),
        ];
        for (expression, good) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("MIT OR GPL-3.0", true),
            ("MIT AND GPL-3.0", false),
            ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
            ("(MIT OR Apache-2.0) AND GPL-3.0", false),
            ("GPL-3.0/MIT", true),
            ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
            ("GPL-2.0 WITH Classpath-exception-2.0", false),
            ("", false),
            ("(MIT", false),
            ("MIT GPL-3.0", false),
        ] {
            assert_eq!(satisfied(expression, &allowed), good, "{expression}");
        }
    }
}
