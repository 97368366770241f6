use dtls_impl::wire::{AnyRecord, AnyRecords, Record, Records, Writer};

/// A datagram comes apart into records that, put together, are what came.
pub(crate) fn records(input: &[u8]) {
    let mut again = Writer::new();
    let mut whole = true;
    for record in Records::new(input) {
        match record {
            Ok(record) => record.emit_or_skip(&mut again),
            Err(_) => whole = false,
        }
    }
    let again = again.into_bytes();
    assert!(input.starts_with(&again) || again.len() > input.len());
    assert_eq!(whole, again.len() >= input.len());
    for connection_id_len in [None, Some(0), Some(1), Some(20)] {
        let mut len = 0;
        for record in AnyRecords::new(input, connection_id_len).flatten() {
            len += match record {
                AnyRecord::Plain(record) => 13 + record.body.len(),
                AnyRecord::Protected(record) => record.to_bytes().len(),
            };
        }
        assert!(len <= input.len());
    }
}

trait EmitOrSkip {
    fn emit_or_skip(&self, w: &mut Writer);
}

impl EmitOrSkip for Record<'_> {
    /// Records longer than any that may be sent are read, too: what they say is decided above.
    fn emit_or_skip(&self, w: &mut Writer) {
        self.header.emit(self.body.len() as u16, w);
        w.bytes(self.body);
    }
}
