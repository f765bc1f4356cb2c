//! A turn in a billing run: what the subscriptions of one payer owe, or of several, moment by moment, those that are due
//! together in one append; or the purchases of one subscriber.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    panic::AssertUnwindSafe,
    pin::pin,
    sync::Arc,
};

use aggregates::id::{InvoiceId, SubscriptionId, TenantId};
use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use projections::{due::Standing, subscription::Payer as Account};
use tokio::sync::Mutex;

use super::{
    halving::{self, guarded},
    run::{How, Key, Payer, Summary, key},
    thread,
};
use crate::{
    app::{
        App,
        billing_run::{
            Step,
            units::{Member, units},
        },
        due::{Fault, Owed, Place, Wanted, Work},
        subscribers::Turn,
    },
    journal::StoreError,
};

/// How often one subscription is billed in a turn. One that began long ago goes on in the next turn, when all others
/// have had theirs.
const MOST_STEPS: u32 = 60;
/// How many appends of one moment are under way: one is decided while another one is written.
pub(super) const AHEAD: usize = 2;
/// How many subscriptions are brought into memory at once: few, so that nobody who asks waits long behind such a read.
const LOADED: usize = 16;

/// What came of a turn.
#[derive(Debug, Default)]
pub struct Turned {
    pub summary: Summary,
    pub failed: Vec<Key>,
    /// Of whom something is left that is due by then, other than what has failed.
    pub unfinished: Vec<Payer>,
}

/// Bills the work of some payers of one tenant, or of one subscriber, in a task of its own, up to a moment. What keeps one
/// from being billed, a panic too, is put on the list; an error is returned only where not even that can be written. Answers with the work, too.
pub async fn turn(
    app: &Arc<App>,
    wanted: &Wanted,
    works: Vec<Work>,
    (how, until): (&How, DateTime<Utc>),
    failed_before: &Arc<HashSet<Key>>,
) -> Result<(Turned, Vec<Work>), StoreError> {
    let how = How { until, ..how.clone() };
    let (task_app, wanted, task_works) = (Arc::clone(app), wanted.clone(), works.clone());
    let failed_before = Arc::clone(failed_before);
    let task = thread::spawn(async move {
        let mut taken = Taken {
            ahead: Ahead::of(Arc::clone(&task_app), task_works.clone()),
            app: task_app,
            wanted,
            how,
            failed_before,
            open: BTreeMap::new(),
            billed: BTreeSet::new(),
            invoices: BTreeSet::new(),
            turned: Turned::default(),
        };
        taken.work(task_works).await?;
        Ok::<_, StoreError>(taken.close())
    });
    let turned = match task.await {
        Ok(turned) => turned?,
        Err(error) => {
            let mut turned = Turned::default();
            let (fault, now) = (Fault::lasting(error.to_string()), app.clock.now());
            for work in &works {
                app.note_unbilled(&work.place, &fault, now).await?;
                turned.failed.push(key(&work.place));
            }
            turned.summary.failed = works.len() as u64;
            turned
        }
    };
    let summary = turned.summary;
    metrics::counter!("billstream_billing_subscriptions_total").increment(summary.subscriptions);
    metrics::counter!("billstream_billing_charges_total").increment(summary.charges);
    metrics::counter!("billstream_billing_invoices_total").increment(summary.invoices);
    metrics::counter!("billstream_billing_purchases_total").increment(summary.purchases);
    metrics::counter!("billstream_billing_failed_total").increment(summary.failed);
    Ok((turned, works))
}

/// A subscription whose turn comes.
#[derive(Clone)]
struct Open {
    standing: Standing,
    failures: i64,
    steps: u32,
}

/// What is to be brought into memory before it is billed: some at a time, so that it goes on while others are written.
struct Ahead {
    app: Arc<App>,
    /// Not loaded yet; what comes first is at the end.
    rest: Mutex<Vec<Work>>,
}

impl Ahead {
    fn of(app: Arc<App>, mut works: Vec<Work>) -> Arc<Self> {
        works.sort_unstable_by(|one, other| other.place.cmp(&one.place));
        let rest = Mutex::new(works);
        Arc::new(Self { app, rest })
    }

    /// Loads everything up to a place, and some beyond it.
    async fn reach(&self, place: Option<Place>) -> Result<(), StoreError> {
        let mut rest = self.rest.lock().await;
        while rest.last().is_some_and(|next| Some(&next.place) <= place.as_ref()) {
            let beyond = rest.len().saturating_sub(LOADED);
            let some = rest.split_off(beyond);
            // One by itself is loaded by the command that needs it.
            if some.len() > 1 {
                let loaded = AssertUnwindSafe(self.app.load_ahead(&some)).catch_unwind().await;
                // Nothing depends on it but time: who caused a panic is found when it is billed.
                loaded.unwrap_or(Ok(()))?;
            }
        }
        Ok(())
    }
}

struct Taken {
    ahead: Arc<Ahead>,
    app: Arc<App>,
    wanted: Wanted,
    how: How,
    failed_before: Arc<HashSet<Key>>,
    /// What is due, in order.
    open: BTreeMap<Place, Open>,
    billed: BTreeSet<SubscriptionId>,
    invoices: BTreeSet<InvoiceId>,
    turned: Turned,
}

impl Taken {
    async fn work(&mut self, works: Vec<Work>) -> Result<(), StoreError> {
        for work in works {
            let Work { place, owed, failures } = work;
            match owed {
                Owed::Charges(standing) => {
                    let steps = 0;
                    let open = Open {
                        standing,
                        failures,
                        steps,
                    };
                    self.open.insert(place, open);
                }
                Owed::Purchase(turn) => self.purchases(place, turn, failures).await?,
            }
        }
        while let Some((place, open)) = self.open.first_key_value() {
            if place.due > self.how.until {
                break;
            }
            if open.steps >= MOST_STEPS {
                let tenant = place.tenant.clone();
                self.set_aside(tenant, open.standing.payer);
                continue;
            }
            let (tenant, moment) = (place.tenant.clone(), place.due);
            self.moment(&tenant, moment).await?;
        }
        Ok(())
    }

    /// The payer goes on in the next turn; the others of this one are not held up.
    fn set_aside(&mut self, tenant: TenantId, payer: Account) {
        self.open.retain(|_, open| open.standing.payer != payer);
        self.turned
            .unfinished
            .push(Payer::Account(tenant, payer.customer, payer.currency.code()));
    }

    /// Everything that is due at one moment, in order of the ids.
    async fn moment(&mut self, tenant: &TenantId, moment: DateTime<Utc>) -> Result<(), StoreError> {
        self.complete(moment).await?;
        let mut cohort = Vec::new();
        let mut known = BTreeMap::new();
        while let Some(entry) = self.open.first_entry().filter(|entry| entry.key().due == moment) {
            let (place, open) = entry.remove_entry();
            cohort.push(Member {
                id: place.id,
                standing: open.standing.clone(),
            });
            known.insert(place.id, open);
        }
        let place = |id| Place {
            due: moment,
            tenant: tenant.clone(),
            id,
        };
        let (app, how, ahead) = (Arc::clone(&self.app), self.how.clone(), Arc::clone(&self.ahead));
        let loaded = stream::iter(units(cohort)).then(|unit| {
            let (ahead, last) = (Arc::clone(&ahead), unit.iter().map(|member| place(member.id)).max());
            async move {
                ahead.reach(last).await?;
                Ok::<_, StoreError>(unit)
            }
        });
        let billed = loaded.map_ok(|unit| {
            let request = how.request(&app, &place(unit[0].id));
            let app = &app;
            async move {
                let bill = |members: Vec<Member>| {
                    let request = &request;
                    async move { app.bill_together(request, &members).await }
                };
                Ok(halving::together(unit, &bill).await)
            }
        });
        // They take the payer's credit one after the other, in the order in which they are begun.
        let mut results = pin!(billed.try_buffered(AHEAD));
        while let Some(unit) = results.try_next().await? {
            let now = self.app.clock.now();
            let goes_on = |(member, result): &(Member, halving::Result<Step>)| {
                result.as_ref().is_ok_and(|step| step.run != member.standing.run)
            };
            let moved = unit.iter().any(goes_on);
            for (member, result) in unit {
                if let Some(open) = known.remove(&member.id) {
                    self.noted(place(member.id), open, result, (moved, now)).await?;
                }
            }
        }
        Ok(())
    }

    /// Those that share invoices with what is due at the moment, wherever the page ended.
    async fn complete(&mut self, moment: DateTime<Utc>) -> Result<(), StoreError> {
        let now = self.open.iter().take_while(|(place, _)| place.due == moment);
        let mut keys = BTreeSet::new();
        let first = now.filter(|(_, open)| match open.standing.shares() {
            Some(key) => keys.insert(key),
            None => false,
        });
        let first: Vec<Work> = first
            .map(|(place, open)| Work {
                place: place.clone(),
                owed: Owed::Charges(open.standing.clone()),
                failures: open.failures,
            })
            .collect();
        for work in first {
            for Work { place, owed, failures } in self.app.work_sharing(&self.wanted, &work).await? {
                if let Owed::Charges(standing) = owed
                    && !self.failed_before.contains(&key(&place))
                    && !self.turned.failed.contains(&key(&place))
                {
                    let steps = 0;
                    self.open.entry(place).or_insert(Open {
                        standing,
                        failures,
                        steps,
                    });
                }
            }
        }
        Ok(())
    }

    /// What has become of one subscription at a moment; `moved` where others that it shares invoices with have gone on.
    /// Those that are tried together again are all noted at one time, `now`.
    async fn noted(
        &mut self,
        place: Place,
        open: Open,
        result: halving::Result<Step>,
        (moved, now): (bool, DateTime<Utc>),
    ) -> Result<(), StoreError> {
        let step = match result {
            Ok(Step {
                refused: Some(reason), ..
            }) => return self.failed(&place, &Fault::lasting(reason), now).await,
            Err(fault) => return self.failed(&place, &fault, now).await,
            Ok(step) => step,
        };
        self.turned.summary.charges += step.accrued as u64;
        self.invoices.extend(step.invoices);
        let stands = step.run == open.standing.run && step.next == open.standing.next_billing;
        if stands && !(moved && open.standing.consolidation.is_some()) {
            let reason = format!("the billing of subscription {} stands still", place.id);
            return self.failed(&place, &Fault::lasting(reason), now).await;
        }
        if !stands {
            self.billed.insert(place.id);
        }
        let due = step.next.filter(|due| *due <= self.how.until);
        if let Some(due) = due {
            let standing = Standing {
                run: step.run,
                next_billing: Some(due),
                ..open.standing
            };
            let steps = open.steps + 1;
            self.open.insert(
                Place { due, ..place },
                Open {
                    standing,
                    steps,
                    ..open
                },
            );
        } else if open.failures > 0 {
            self.app.note_billed(&place).await?;
        }
        Ok(())
    }

    async fn failed(&mut self, place: &Place, fault: &Fault, now: DateTime<Utc>) -> Result<(), StoreError> {
        let reason = fault.reason.as_str();
        tracing::warn!(tenant = %place.tenant, subscription = %place.id, reason, "a subscription cannot be billed");
        self.app.note_unbilled(place, fault, now).await?;
        self.turned.summary.failed += 1;
        self.turned.failed.push(key(place));
        Ok(())
    }

    /// The purchases of a subscriber: one a period that has begun. None is made before its day, whatever is asked for.
    async fn purchases(&mut self, place: Place, turn: Turn, failures: i64) -> Result<(), StoreError> {
        let (mut place, mut turn) = (place, turn);
        let before = self.turned.summary.purchases;
        for _ in 0..MOST_STEPS {
            let request = self.how.request(&self.app, &place);
            if place.due > self.how.until.min(request.at) {
                break;
            }
            let taken = self.app.bill_subscriber(&request, place.id, turn, self.how.until);
            let taken = match guarded(taken).await {
                Ok(taken) => taken,
                Err(fault) => return self.failed(&place, &fault, self.app.clock.now()).await,
            };
            self.turned.summary.purchases += u64::from(taken.purchase.is_some());
            let Some((number, begins)) = taken.next else { break };
            if taken.purchase.is_none() && number == turn.number && begins <= place.due {
                let reason = format!("the billing of subscriber {} stands still", place.id);
                return self.failed(&place, &Fault::lasting(reason), self.app.clock.now()).await;
            }
            (place.due, turn.number) = (begins, number);
        }
        // Dates that were passed over were not billed.
        if self.turned.summary.purchases > before {
            self.billed.insert(place.id);
        }
        if failures > 0 {
            self.app.note_billed(&place).await?;
        }
        Ok(())
    }

    fn close(mut self) -> Turned {
        let summary = &mut self.turned.summary;
        summary.invoices = self.invoices.len() as u64;
        for (_, id) in &self.turned.failed {
            self.billed.remove(id);
        }
        summary.subscriptions = self.billed.len() as u64;
        self.turned
    }
}
