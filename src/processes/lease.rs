//! Who of several processes works. Only a matter of economy: what two of them send is the same commands.

use chrono::{DateTime, Duration, Utc};

use crate::{app::App, clock, journal::StoreError};

/// How long a process that has stopped is waited for before another one takes over.
const LASTS: Duration = Duration::seconds(30);
/// A holder asks again this long before its lease ends.
const RENEWED: Duration = Duration::seconds(20);

/// One process's claim to a name.
pub struct Lease {
    name: &'static str,
    holder: String,
    held: Option<Held>,
}

struct Held {
    until: DateTime<Utc>,
    fence: i64,
}

impl Lease {
    pub fn on(name: &'static str) -> Self {
        Self {
            name,
            holder: clock::random_uuid().to_string(),
            held: None,
        }
    }

    /// Whether this process may work now: it holds the lease, or could take one that has ended.
    pub async fn hold(&mut self, app: &App) -> Result<bool, StoreError> {
        let now = app.clock.now();
        if self.held.as_ref().is_some_and(|held| now < held.until - RENEWED) {
            return Ok(true);
        }
        let until = now + LASTS;
        let renewed = match &self.held {
            Some(held) => self.renew(app, held.fence, until).await?,
            None => false,
        };
        if renewed {
            if let Some(held) = &mut self.held {
                held.until = until;
            }
            return Ok(true);
        }
        self.held = self.take(app, now, until).await?;
        Ok(self.held.is_some())
    }

    /// Lets another process take over at once.
    pub async fn give_back(&mut self, app: &App) -> Result<(), StoreError> {
        if let Some(held) = self.held.take() {
            let ended = DateTime::UNIX_EPOCH;
            self.renew(app, held.fence, ended).await?;
        }
        Ok(())
    }

    async fn renew(&self, app: &App, fence: i64, until: DateTime<Utc>) -> Result<bool, StoreError> {
        let sql = "UPDATE processes SET lease = $3 WHERE name = $1 AND fence = $2";
        let mut tx = app.journal.store().begin().await?;
        let changed = tx.execute(sql, &[self.name.into(), fence.into(), until.into()]).await?;
        tx.commit().await?;
        Ok(changed > 0)
    }

    async fn take(&self, app: &App, now: DateTime<Utc>, until: DateTime<Utc>) -> Result<Option<Held>, StoreError> {
        // Looked at first: a process that waits writes nothing.
        let sql = "SELECT lease, fence FROM processes WHERE name = $1";
        let rows = app.journal.store().read(sql, &[self.name.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (lease, fence) = (row.time(0)?, row.int(1)?);
        if lease > now {
            return Ok(None);
        }
        let sql = "UPDATE processes SET lease = $3, fence = $4, holder = $5 WHERE name = $1 AND fence = $2";
        let values = [
            self.name.into(),
            fence.into(),
            until.into(),
            (fence + 1).into(),
            self.holder.as_str().into(),
        ];
        let mut tx = app.journal.store().begin().await?;
        let changed = tx.execute(sql, &values).await?;
        tx.commit().await?;
        Ok((changed > 0).then_some(Held {
            until,
            fence: fence + 1,
        }))
    }
}
