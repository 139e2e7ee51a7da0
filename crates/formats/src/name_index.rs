//! Finding entries by name: positions sorted by the name they lead to, eight bytes per entry.
//!
//! A hash map would hold every name a second time, and a file of a million one-letter keys would cost many
//! times its size.

/// Positions `0..n` of a list, ordered by the names at those positions.
#[derive(Debug, Clone, Default)]
pub(crate) struct NameIndex(Vec<usize>);

impl NameIndex {
    /// Indexes `count` names; `Err` is the position of one that appears twice.
    pub(crate) fn new<'a>(count: usize, name: impl Fn(usize) -> &'a str) -> Result<Self, usize> {
        let mut sorted: Vec<usize> = (0..count).collect();
        sorted.sort_unstable_by_key(|&i| name(i));
        match sorted
            .windows(2)
            .find(|pair| name(pair[0]) == name(pair[1]))
        {
            Some(pair) => Err(pair[1]),
            None => Ok(Self(sorted)),
        }
    }

    /// Position of the entry of this name. `name` must give what it gave when the index was made.
    pub(crate) fn find<'a>(&self, wanted: &str, name: impl Fn(usize) -> &'a str) -> Option<usize> {
        self.place(wanted, name).ok().map(|place| self.0[place])
    }

    /// Adds the name of a new last entry, which must not be there yet.
    pub(crate) fn push<'a>(&mut self, added: &str, name: impl Fn(usize) -> &'a str) {
        let at = self.place(added, name).unwrap_or_else(|place| place);
        self.0.insert(at, self.0.len());
    }

    fn place<'a>(&self, wanted: &str, name: impl Fn(usize) -> &'a str) -> Result<usize, usize> {
        self.0.binary_search_by(|&i| name(i).cmp(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::NameIndex;

    #[test]
    fn finds_every_name_and_no_other() {
        let names = ["delta", "alpha", "", "charlie"];
        let index = NameIndex::new(names.len(), |i| names[i]).expect("no duplicates");
        for (at, name) in names.iter().enumerate() {
            assert_eq!(index.find(name, |i| names[i]), Some(at));
        }
        assert_eq!(index.find("bravo", |i| names[i]), None);
    }

    #[test]
    fn reports_a_duplicate() {
        let names = ["b", "a", "c", "a"];
        let twice = NameIndex::new(names.len(), |i| names[i]).expect_err("`a` is there twice");
        assert_eq!(names[twice], "a");
    }

    #[test]
    fn grows_in_order() {
        let names = ["m", "a", "z", "k"];
        let mut index = NameIndex::default();
        for count in 0..names.len() {
            index.push(names[count], |i| names[i]);
        }
        for (at, name) in names.iter().enumerate() {
            assert_eq!(index.find(name, |i| names[i]), Some(at));
        }
    }
}
