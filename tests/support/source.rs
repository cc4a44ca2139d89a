//! Reads Rust sources as text: which files there are, and which paths each names on which line.

use std::fs;
use std::path::{Path, PathBuf};

/// A source file without what does not count: comments, the text of strings, test modules.
pub(crate) struct Source {
    /// Its path from the root of the project, as `src/check/http.rs`.
    pub(crate) name: String,
    /// What it says as it stands.
    pub(crate) text: String,
    /// What is left of it, with the lines where they were.
    code: String,
    /// The modules it declares for tests alone.
    pub(crate) test_modules: Vec<String>,
}

/// A path that a file names, as `crate::store::Store`, and the line it does so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) path: String,
    pub(crate) line: usize,
}

impl Source {
    /// The file called `name` that says `text`.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let (code, test_modules) = without_tests(&without_comments(text));
        Self { name: name.to_owned(), text: text.to_owned(), code, test_modules }
    }

    /// Its module from the root of the crate: `["check", "http"]`; nothing for `lib` and `main`.
    pub(crate) fn module(&self) -> Vec<&str> {
        let path = self.name.trim_start_matches("src/").trim_end_matches(".rs");
        let path: Vec<&str> = path.split('/').collect();
        if path == ["lib"] || path == ["main"] { Vec::new() } else { path }
    }

    /// Every path it names outside of tests, those from here told from the root of the crate.
    pub(crate) fn paths(&self) -> Vec<Named> {
        let mut found = Vec::new();
        let words = words(&self.code);
        let mut at = 0;
        while at < words.len() {
            at = read_tree(&words, at, "", &mut found).max(at + 1);
        }
        for named in &mut found {
            named.path = self.rooted(&named.path);
        }
        found
    }

    /// `super::x` and `self::x` as `crate::…::x`.
    fn rooted(&self, path: &str) -> String {
        let mut module = self.module();
        let mut rest = path;
        if let Some(inner) = rest.strip_prefix("self::") {
            rest = inner;
        } else if !rest.starts_with("super::") {
            return path.to_owned();
        }
        while let Some(outer) = rest.strip_prefix("super::") {
            rest = outer;
            module.pop();
        }
        module.insert(0, "crate");
        format!("{}::{rest}", module.join("::"))
    }
}

/// The sources below `folder` of the project, in order; none if there is no such folder.
pub(crate) fn below(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    gather(&root.join(folder), &mut files);
    files.sort();
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        let text = fs::read_to_string(&path);
        Source::new(&name, &text.unwrap_or_else(|error| panic!("cannot read {name}: {error}")))
    };
    files.into_iter().map(read).collect()
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// `text` with comments and what strings say blanked, and every line break where it was.
fn without_comments(text: &str) -> String {
    let mut left = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(sign) = rest.chars().next() {
        let length = blank_length(rest, left.chars().next_back());
        let taken = if length == 0 { sign.len_utf8() } else { length };
        let (part, after) = rest.split_at(taken);
        if length == 0 {
            left.push(sign);
        } else {
            left.extend(part.chars().map(|sign| if sign == '\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    left
}

/// How many bytes a comment, string or character takes that `rest` begins with; else 0.
fn blank_length(rest: &str, before: Option<char>) -> usize {
    let until = |end: &str| rest.find(end).map_or(rest.len(), |at| at + end.len());
    let in_word = before.is_some_and(|sign| sign.is_alphanumeric() || sign == '_');
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until("*/");
    }
    if rest.starts_with('"') {
        return quoted(rest, '"');
    }
    if let Some(raw) = rest.strip_prefix('r').filter(|_| !in_word || before == Some('b')) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let open = 1 + hashes + 1;
            return rest[open..].find(&end).map_or(rest.len(), |at| open + at + end.len());
        }
    }
    // A character ends within one sign or an escape; what does not is a lifetime.
    let mut signs = rest.chars().skip(1);
    match (rest.starts_with('\''), signs.next(), signs.next()) {
        (true, Some('\\'), _) | (true, Some(_), Some('\'')) => quoted(rest, '\''),
        _ => 0,
    }
}

/// The bytes from one quote to the next that is not escaped.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, sign) in rest.char_indices().skip(1) {
        if !escaped && sign == quote {
            return at + 1;
        }
        escaped = !escaped && sign == '\\';
    }
    rest.len()
}

/// `code` with every item blanked that stands under `#[cfg(test)]`, and the modules among them
/// that have files of their own.
fn without_tests(code: &str) -> (String, Vec<String>) {
    let mut left = code.to_owned();
    let mut modules = Vec::new();
    for mark in ["#[cfg(test)]", "#[cfg(all(test"] {
        while let Some(start) = left.find(mark) {
            let end = start + item_length(&left[start..]);
            let item = &left[start..end];
            let module = item.split_once("mod ").map(|(_, name)| name.trim_end_matches(';').trim());
            modules.extend(module.filter(|_| item.ends_with(';')).map(str::to_owned));
            let blank: String = item.chars().map(|s| if s == '\n' { s } else { ' ' }).collect();
            left.replace_range(start..end, &blank);
        }
    }
    (left, modules)
}

/// How many bytes an item takes: to its `;`, or to the end of its braces.
fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, sign) in code.char_indices() {
        match sign {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// A word of the code: a name, `::` or one sign.
struct Word<'a> {
    text: &'a str,
    line: usize,
}

fn words(code: &str) -> Vec<Word<'_>> {
    let is_name = |sign: char| sign.is_alphanumeric() || sign == '_';
    let mut words = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(sign) = rest.chars().next() {
            let length = match rest.find(|sign| !is_name(sign)) {
                _ if rest.starts_with("::") => 2,
                Some(0) => sign.len_utf8(),
                Some(length) => length,
                None => rest.len(),
            };
            let (text, after) = rest.split_at(length);
            words.push(Word { text, line: number + 1 });
            rest = after.trim_start();
        }
    }
    words
}

/// Reads a path or a tree of paths that begins at word `at`, and returns where it ends.
fn read_tree(words: &[Word<'_>], at: usize, before: &str, found: &mut Vec<Named>) -> usize {
    let text = |at: usize| words.get(at).map_or("", |word| word.text);
    let mut path = before.to_owned();
    let mut next = at;
    while is_segment(text(next)) {
        path.push_str(text(next));
        next += 1;
        if text(next) != "::" || !(is_segment(text(next + 1)) || text(next + 1) == "{") {
            break;
        }
        path.push_str("::");
        next += 1;
    }
    if path.ends_with("::") && text(next) == "{" {
        return read_group(words, next + 1, &path, found);
    }
    if path.contains("::") {
        let line = words[next.saturating_sub(1)].line;
        found.push(Named { path: path.trim_end_matches("::self").to_owned(), line });
    }
    next
}

/// Reads the paths of a group up to its closing brace.
fn read_group(words: &[Word<'_>], at: usize, before: &str, found: &mut Vec<Named>) -> usize {
    let mut next = at;
    while let Some(word) = words.get(next) {
        match word.text {
            "}" => return next + 1,
            "as" => next += 2,
            text if is_segment(text) => next = read_tree(words, next, before, found),
            _ => next += 1,
        }
    }
    next
}

fn is_segment(word: &str) -> bool {
    word.starts_with(|sign: char| sign.is_alphabetic() || sign == '_')
}
