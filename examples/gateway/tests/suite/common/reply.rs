/// An answer as it came over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    /// The last answer in what came: interim ones are passed over.
    pub(crate) fn parse(text: &str) -> Self {
        let mut rest = text;
        loop {
            let (head, body) = rest.split_once("\r\n\r\n").unwrap_or((rest, ""));
            let status = head
                .split(' ')
                .nth(1)
                .and_then(|status| status.parse().ok());
            let status = status.unwrap_or(0);
            if !(100..200).contains(&status) || status == 101 {
                return Self {
                    status,
                    head: head.to_owned(),
                    body: body.to_owned(),
                };
            }
            rest = body;
        }
    }

    /// All lines of a field, joined.
    pub(crate) fn field(&self, name: &str) -> String {
        let lines = self.head.split("\r\n").skip(1);
        let values = lines.filter_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        });
        values.collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        let lines = self.head.split("\r\n").skip(1);
        lines
            .filter_map(|line| line.split_once(':'))
            .any(|(found, _)| found.eq_ignore_ascii_case(name))
    }

    pub(crate) fn is_hit(&self) -> bool {
        self.field("cache-status").contains(";hit")
    }
}
