//! Why a record is refused.

/// The first fault found in a record, in the order in which they are sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectReason {
    /// Key and value together are over the limit.
    TooLarge,
    /// The value is no UTF-8.
    NotUtf8,
    /// The value, or a text in it that holds JSON, is no JSON.
    NotJson,
    /// The value is JSON, and no object.
    NotObject,
    /// No room id in the value nor in the key.
    NoId,
    /// The room id is not text, empty, too long, or no Unicode.
    BadId,
    /// A room without its creation time.
    NoTs,
    /// The creation time is no date.
    BadTs,
    /// The creation time is before `limits.oldest` or too far in the future.
    TsOutOfRange,
    /// The department is not text, too long, or no Unicode.
    BadDepartment,
    /// A department never seen before, and no place left for one.
    TooManyDepartments,
}

impl RejectReason {
    /// Every reason, in the order of precedence.
    pub const ALL: [Self; 11] = [
        Self::TooLarge,
        Self::NotUtf8,
        Self::NotJson,
        Self::NotObject,
        Self::NoId,
        Self::BadId,
        Self::NoTs,
        Self::BadTs,
        Self::TsOutOfRange,
        Self::BadDepartment,
        Self::TooManyDepartments,
    ];

    /// The name in metrics and log lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::NotObject => "not_object",
            Self::NoId => "no_id",
            Self::BadId => "bad_id",
            Self::NoTs => "no_ts",
            Self::BadTs => "bad_ts",
            Self::TsOutOfRange => "ts_out_of_range",
            Self::BadDepartment => "bad_department",
            Self::TooManyDepartments => "too_many_departments",
        }
    }
}

impl std::fmt::Display for RejectReason {
    /// The fault in words, for people.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "key and value are larger than limits.record_bytes",
            Self::NotUtf8 => "it is not UTF-8",
            Self::NotJson => "it is not JSON",
            Self::NotObject => "it is JSON, and not an object",
            Self::NoId => "it names no room: _id is missing",
            Self::BadId => "_id is not a text of 1 to 128 bytes",
            Self::NoTs => "it creates a room without its creation time: ts is missing",
            Self::BadTs => "ts is not a date such as 2020-09-09T00:11:22.345Z",
            Self::TsOutOfRange => {
                "ts is before limits.oldest or further in the future than limits.max_future"
            }
            Self::BadDepartment => "departmentId is not a text of at most 128 bytes",
            Self::TooManyDepartments => "there are as many departments as limits.departments allows",
        })
    }
}
