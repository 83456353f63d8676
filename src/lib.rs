//! Counting livechat rooms.
