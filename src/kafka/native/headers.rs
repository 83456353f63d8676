//! The headers of a message.
//!
//! Owns how they are read from librdkafka, which unpacks them when it is first asked.
//!
//! Safety. Headers, their names and their values belong to their message, and are read
//! while it is alive; names end with a zero byte.

use std::ffi::CStr;
use std::ptr;

use rdkafka::bindings as native;
use rdkafka::types::RDKafkaRespErr;

use crate::kafka::Batch;
use crate::kafka::native::queue::bytes;

/// The header's name as C wants it.
const IF_UNKNOWN_HEADER: &CStr = c"roomtally-if-unknown";

/// Whether the header that makes a record apply only to a room not known is there.
///
/// # Safety
/// The message must be one that librdkafka handed out and has not taken back.
pub(super) unsafe fn has_if_unknown(message: &native::rd_kafka_message_t) -> bool {
    // Safety: as this function's own.
    let Some(headers) = (unsafe { headers_of(message) }) else { return false };
    let (mut value, mut size) = (ptr::null(), 0);
    // Safety: the headers are alive as long as their message.
    let found = unsafe {
        native::rd_kafka_header_get_last(headers, IF_UNKNOWN_HEADER.as_ptr(), &raw mut value, &raw mut size)
    };
    found == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
}

/// The message's headers, which live as long as it does; none if it has none.
///
/// # Safety
/// The message must be one that librdkafka handed out and has not taken back.
unsafe fn headers_of(message: &native::rd_kafka_message_t) -> Option<*const native::rd_kafka_headers_t> {
    let mut headers = ptr::null_mut();
    // Safety: the message is alive; its headers, if any, stay its own.
    let found = unsafe { native::rd_kafka_message_headers(message, &raw mut headers) };
    (found == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then_some(headers.cast_const())
}

/// Adds all headers to the record that was added last.
///
/// # Safety
/// The message must be one that librdkafka handed out and has not taken back.
pub(super) unsafe fn read(message: &native::rd_kafka_message_t, batch: &mut Batch) {
    // Safety: as this function's own.
    let Some(headers) = (unsafe { headers_of(message) }) else { return };
    for at in 0.. {
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // Safety: the headers are alive as long as their message.
        let found = unsafe {
            native::rd_kafka_header_get_all(headers, at, &raw mut name, &raw mut value, &raw mut size)
        };
        if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
            return;
        }
        // Safety: a name ends with a zero byte, a value that is not null has this length, and
        // both are the headers' own.
        let (name, value) = unsafe { (CStr::from_ptr(name), bytes(value.cast(), size)) };
        batch.push_header((&name.to_string_lossy(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_name_is_the_same_on_both_sides() {
        assert_eq!(IF_UNKNOWN_HEADER.to_str(), Ok(crate::decode::IF_UNKNOWN_HEADER));
    }
}
