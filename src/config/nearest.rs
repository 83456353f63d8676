//! What was probably meant by a name that is not known.
//!
//! Owns the measure of nearness. Invariant: there is always an answer as long as
//! there are candidates, so that no unknown name goes without a suggestion.

/// The candidate nearest to `name`, by the whole dotted path or by its last part
/// alone: `topic` and `http.topic` are both near `kafka.topic`. Of several that are as
/// near, the first one.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates.into_iter().min_by(|a, b| likeness(name, b).total_cmp(&likeness(name, a)))
}

fn likeness(name: &str, candidate: &str) -> f64 {
    // The right word in the wrong section weighs a little less than the right
    // section with a word misspelt.
    const LAST_PART_WEIGHT: f64 = 0.85;
    let name = name.to_ascii_lowercase();
    let whole = similarity(&name, candidate);
    whole.max(LAST_PART_WEIGHT * similarity(last_part(&name), last_part(candidate)))
}

fn similarity(a: &str, b: &str) -> f64 {
    // Edits find misspelt words, a shared beginning finds shortened ones.
    f64::midpoint(strsim::normalized_damerau_levenshtein(a, b), strsim::jaro_winkler(a, b))
}

fn last_part(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::keys::keys;
    use super::*;

    #[test]
    fn a_misspelt_shortened_or_misplaced_key_finds_the_one_meant() {
        for (name, meant) in [
            ("http.listn", "http.listen"),
            ("http.Listen", "http.listen"),
            ("htpp.listen", "http.listen"),
            ("listen", "http.listen"),
            ("http.topic", "kafka.topic"),
            ("kafka.bootstrap", "kafka.bootstrap_servers"),
            ("kafka.bootstrap.servers", "kafka.bootstrap_servers"),
            ("kafka.property", "kafka.properties"),
            ("snapshot.directory", "snapshot.dir"),
            ("auth.user", "auth.users"),
            ("limits.max_record_bytes", "limits.record_bytes"),
            ("limits.department", "limits.departments"),
            ("log.levle", "log.level"),
        ] {
            let found = nearest(name, keys().map(|key| key.path));
            assert_eq!(found, Some(meant), "{name}");
        }
    }

    #[test]
    fn even_a_far_name_gets_a_suggestion() {
        assert!(nearest("zzz", ["http.listen"]).is_some());
        assert_eq!(nearest("zzz", []), None);
    }
}
