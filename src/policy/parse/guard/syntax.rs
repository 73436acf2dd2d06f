//! What saphyr-parser could not read, said in words that help.

use crate::diagnostic::{Code, Diagnostic};
use std::ops::Range;

/// The complaint about a text that is no YAML, from the parser's own words (`info`) and the byte it stopped at.
pub(super) fn syntax(source: usize, text: &str, at: usize, info: &str) -> Diagnostic {
    let rest = text.get(at..).unwrap_or_default();
    let character = at..at + rest.chars().next().map_or(0, char::len_utf8);
    let word = at..at
        + rest
            .find([' ', ',', ']', '}', '\n', '\r'])
            .unwrap_or(rest.len());
    let is = |part: &str| info.contains(part);
    let said = |code, message: &str, bytes: Range<usize>, label: &str, help: &str| {
        Diagnostic::error(code, message)
            .at_text(source, bytes, label)
            .help(help)
    };
    let open_quote = |at: usize| {
        let message = "a quote is opened and not closed";
        said(
            Code::UnterminatedQuote,
            message,
            at..at + 1,
            "opened here",
            "close it on the same line",
        )
    };
    if is("unexpected end of stream")
        || is("document indicator")
        || is("indentation in quoted scalar")
    {
        return open_quote(at);
    }
    if is("after double-quoted scalar") {
        // With its own quote missing, a text ends where the next one should begin.
        if let Some(opened) = text.get(..at).and_then(quote_over_lines) {
            return open_quote(opened);
        }
        let help = "a quote inside of quotes is written \\\" between double ones and '' between single ones";
        return said(
            Code::YamlSyntax,
            "not valid YAML: text after a closing quote",
            word,
            "",
            help,
        );
    }
    if is("escape") && is("quoted scalar") {
        let help = "between double quotes `\\` begins an escape; use single quotes";
        return said(
            Code::YamlSyntax,
            "not valid YAML: an escape that does not exist",
            character,
            "",
            help,
        );
    }
    if is("unknown anchor") || is("anchor or alias") {
        let help = "there are no aliases in a policy; text that begins with `*` must be quoted";
        return said(
            Code::Alias,
            "an alias stands for nothing",
            word,
            "an alias",
            help,
        );
    }
    if is("a tag") || is("TAG") || is("the handle wasn't declared") {
        let help = "delete the word that begins with `!`";
        return said(Code::Tag, "the language has no tags", word, "a tag", help);
    }
    if is("tab") {
        return said(
            Code::Tab,
            "a tab where YAML wants spaces",
            character,
            "a tab",
            "use spaces",
        );
    }
    let message = format!("not valid YAML: {}", info.replace('`', "'"));
    let diagnostic = Diagnostic::error(Code::YamlSyntax, message).at_text(source, character, "");
    match help(info) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

fn help(info: &str) -> Option<&'static str> {
    Some(match info {
        "mapping values are not allowed in this context" => {
            "look at the indentation; a value with a `:` and a space in it must be quoted"
        }
        "simple key expected" | "simple key expect ':'" => {
            "is a `:` missing, or the space after it?"
        }
        "while parsing a flow sequence, expected ',' or ']'" => "close the list with `]`",
        "while parsing a flow mapping, did not find expected ',' or '}'" => {
            "close the map with `}`"
        }
        _ if info.contains("indent") || info.contains("did not find expected") => {
            "look at the indentation of this line and of the one before"
        }
        _ => return None,
    })
}

/// Where a quote was opened whose closing quote ends `text`, on a later line.
fn quote_over_lines(text: &str) -> Option<usize> {
    let text = text.trim_end();
    let quote = text
        .chars()
        .next_back()
        .filter(|c| matches!(c, '"' | '\''))?;
    let inside = text.strip_suffix(quote)?;
    let opened = inside.rfind(quote)?;
    inside.get(opened..)?.contains('\n').then_some(opened)
}
