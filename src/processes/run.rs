//! One billing run: everything that is due up to a moment, many payers at a time, each payer's moments in their order.
//! Payers that owe little take their turns together.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use aggregates::id::{CustomerId, SubscriptionId, TenantId};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};

use super::turn;
use crate::{
    app::{
        App,
        billing_run::units::TOGETHER,
        due::{Owed, Place, Wanted, Work},
    },
    journal::{Request, StoreError},
};

/// How many subscriptions are billed at the same time: enough to fill the writer's batches.
const PARALLEL: usize = 512;
/// How many that are due are read at once: before the next are read, all of them are billed.
const PAGE: usize = 8_000;
/// The door that billing comes in by, whoever starts it: so that a period has one command id.
pub(super) const DOOR: &str = "scheduler";

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Subscriptions and subscribers that were billed.
    pub subscriptions: u64,
    pub charges: u64,
    pub invoices: u64,
    /// Of subscribers.
    pub purchases: u64,
    /// Those that could not be billed and are on the list now.
    pub failed: u64,
}

impl Summary {
    pub(super) fn add(&mut self, other: Self) {
        self.subscriptions += other.subscriptions;
        self.charges += other.charges;
        self.invoices += other.invoices;
        self.purchases += other.purchases;
        self.failed += other.failed;
    }
}

/// How a run bills.
#[derive(Clone, Debug)]
pub struct How {
    /// Who started it.
    pub actor: String,
    /// Bills up to this moment.
    pub until: DateTime<Utc>,
    /// The time of the commands; `None` for what the clock says when they are sent.
    pub at: Option<DateTime<Utc>>,
}

impl How {
    /// A command is called by the moment at which it bills, so that whoever bills it sends the same command.
    pub(super) fn request(&self, app: &App, place: &Place) -> Request {
        let now = self.at.unwrap_or_else(|| app.clock.now());
        let key = place.due.timestamp_micros().to_string();
        Request::new(place.tenant.clone(), self.actor.as_str(), DOOR, now).with_key(&key, &[])
    }
}

/// Is told after every subscription.
pub type Told<'a> = &'a (dyn Fn() + Send + Sync);

pub(super) type Key = (TenantId, SubscriptionId);

pub(super) fn key(place: &Place) -> Key {
    (place.tenant.clone(), place.id)
}

/// Bills everything that is wanted, until nothing of it is left that can be billed, or `stop` is ready: then those
/// under way are finished and no others begun.
pub async fn everything(
    app: &Arc<App>,
    wanted: &Wanted,
    how: &How,
    told: Told<'_>,
    stop: impl Future<Output = ()> + Send,
) -> Result<Summary, StoreError> {
    let stop = stop.shared();
    let mut summary = Summary::default();
    // What failed is not tried again before the next run.
    let mut failed = Arc::new(HashSet::new());
    // What falls due behind the place where a sweep has come to is found by the next one, and so is what was cut short.
    while stop.clone().now_or_never().is_none() {
        let (swept, broken) = sweep(app, wanted, how, told, stop.clone(), &failed).await?;
        summary.add(swept);
        Arc::make_mut(&mut failed).extend(broken);
        if swept == Summary::default() {
            break;
        }
    }
    Ok(summary)
}

/// Goes once through what is due, but for what has failed before; answers with what fails now. One page is done before
/// the next one is read: so every payer's moments come one after the other, whatever page they are on.
async fn sweep(
    app: &Arc<App>,
    wanted: &Wanted,
    how: &How,
    told: Told<'_>,
    stop: impl Future<Output = ()> + Send + Clone,
    failed_before: &Arc<HashSet<Key>>,
) -> Result<(Summary, Vec<Key>), StoreError> {
    let (mut summary, mut failed) = (Summary::default(), Vec::new());
    let mut cut = HashSet::new();
    let mut after = None;
    while stop.clone().now_or_never().is_none() {
        let mut page = app.work(wanted, after.as_ref(), PAGE).await?;
        let full = page.len() == PAGE;
        let until = if full { whole_moments(&mut page) } else { how.until };
        let Some(last) = page.last() else { break };
        after = Some(last.place.clone());
        page.retain(|work| !failed_before.contains(&key(&work.place)));
        let mut accounts = by_payer(page);
        accounts.retain(|account| !cut.contains(&payer(&account[0])));
        let mut waiting = gathered(accounts).into_iter();
        let mut turns = FuturesUnordered::new();
        let (mut under_way, mut stopped) = (0, false);
        loop {
            while !stopped
                && under_way < PARALLEL
                && let Some(works) = waiting.next()
            {
                under_way += at_once(&works);
                turns.push(turn::turn(app, wanted, works, (how, until), failed_before));
            }
            tokio::select! {
                turned = turns.next() => {
                    let Some(turned) = turned else { break };
                    let (turned, works) = turned?;
                    under_way -= at_once(&works);
                    summary.add(turned.summary);
                    failed.extend(turned.failed);
                    cut.extend(turned.unfinished);
                    for _ in works {
                        told();
                    }
                }
                () = stop.clone(), if !stopped => stopped = true,
            }
        }
        if !full {
            break;
        }
    }
    Ok((summary, failed))
}

/// Leaves the last moment of a page to the next page, which has all of it; answers with the moment up to which the page
/// knows everything. A moment that fills a page is taken as it comes.
fn whole_moments(page: &mut Vec<Work>) -> DateTime<Utc> {
    let Some(last) = page.last().map(|work| work.place.due) else {
        return DateTime::<Utc>::MIN_UTC;
    };
    let whole = page.partition_point(|work| work.place.due < last);
    if whole == 0 {
        return last;
    }
    page.truncate(whole);
    last - TimeDelta::microseconds(1)
}

/// Whose credit it is that invoices use: what concerns it is done in order. Subscribers have none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Payer {
    Account(TenantId, CustomerId, &'static str),
    Subscriber(TenantId, SubscriptionId),
}

fn payer(work: &Work) -> Payer {
    let tenant = work.place.tenant.clone();
    match &work.owed {
        Owed::Charges(standing) => Payer::Account(tenant, standing.payer.customer, standing.payer.currency.code()),
        Owed::Purchase(_) => Payer::Subscriber(tenant, work.place.id),
    }
}

/// Payer by payer, who has waited longest first.
pub(super) fn by_payer(page: Vec<Work>) -> Vec<Vec<Work>> {
    let mut accounts: Vec<Vec<Work>> = Vec::new();
    let mut places: HashMap<Payer, usize> = HashMap::new();
    for work in page {
        let place = *places.entry(payer(&work)).or_insert_with(|| {
            accounts.push(Vec::new());
            accounts.len() - 1
        });
        accounts[place].push(work);
    }
    accounts
}

/// How many of a turn are billed at the same time.
fn at_once(works: &[Work]) -> usize {
    works.len().min(TOGETHER * turn::AHEAD)
}

/// Payers of one tenant that owe little at the same moment share a turn, and so their appends. Nobody waits in a turn who
/// could not be in its append: a subscriber's purchases, what shares invoices, and what falls due at another moment come in
/// turns of their own.
fn gathered(accounts: Vec<Vec<Work>>) -> Vec<Vec<Work>> {
    let mut turns: Vec<Vec<Work>> = Vec::new();
    for account in accounts {
        let alone = |work: &Work| matches!(&work.owed, Owed::Charges(standing) if standing.consolidation.is_none());
        let joins = |turn: &&mut Vec<Work>| {
            turn.len() + account.len() <= TOGETHER
                && turn[0].place.tenant == account[0].place.tenant
                && turn[0].place.due == account[0].place.due
                && turn.iter().chain(&account).all(alone)
        };
        match turns.last_mut().filter(joins) {
            Some(turn) => turn.extend(account),
            None => turns.push(account),
        }
    }
    turns
}

#[cfg(test)]
mod tests {
    use aggregates::{id::BillingTemplateId, money::Currency};
    use projections::{due::Standing, subscription::Payer as Account};
    use uuid::Uuid;

    use super::*;
    use crate::app::subscribers::Turn;

    fn owed(tenant: &str, customer: u128, subscriptions: u128) -> Vec<Work> {
        let work = |n| Work {
            place: Place {
                due: DateTime::<Utc>::MIN_UTC,
                tenant: TenantId::from_stored(tenant),
                id: SubscriptionId(Uuid::from_u128(customer * 1_000 + n)),
            },
            owed: Owed::Charges(Standing {
                run: 0,
                payer: Account {
                    customer: CustomerId(Uuid::from_u128(customer)),
                    currency: Currency::EUR,
                },
                next_billing: None,
                metered: false,
                consolidation: None,
            }),
            failures: 0,
        };
        (0..subscriptions).map(work).collect()
    }

    fn lengths(accounts: impl IntoIterator<Item = Vec<Work>>) -> Vec<usize> {
        gathered(accounts.into_iter().collect()).iter().map(Vec::len).collect()
    }

    #[test]
    fn payers_of_one_tenant_share_a_turn_as_long_as_it_is_one_append() {
        assert_eq!(lengths((0..130).map(|customer| owed("a", customer, 1))), [64, 64, 2]);
        assert_eq!(lengths([owed("a", 1, 40), owed("a", 2, 24), owed("a", 3, 1)]), [64, 1]);
        assert_eq!(
            lengths([owed("a", 1, 40), owed("a", 2, 25)]),
            [40, 25],
            "nobody's turn is split"
        );
        assert_eq!(lengths([owed("a", 1, 300), owed("a", 2, 1)]), [300, 1]);
    }

    #[test]
    fn nobody_waits_in_a_turn_who_could_not_be_in_its_append() {
        let mut subscriber = owed("b", 2, 1);
        subscriber[0].owed = Owed::Purchase(Turn {
            template: BillingTemplateId(Uuid::nil()),
            customer: CustomerId(Uuid::nil()),
            number: 1,
        });
        let accounts = [owed("a", 1, 1), owed("b", 1, 1), subscriber, owed("b", 3, 1)];
        assert_eq!(lengths(accounts), [1, 1, 1, 1]);
        let mut later = owed("a", 2, 1);
        later[0].place.due = DateTime::<Utc>::MAX_UTC;
        assert_eq!(lengths([owed("a", 1, 1), later]), [1, 1]);
        let mut shares = owed("a", 2, 1);
        if let Owed::Charges(standing) = &mut shares[0].owed {
            standing.consolidation = Some("UTC/north".to_owned());
        }
        assert_eq!(lengths([owed("a", 1, 1), shares, owed("a", 3, 1)]), [1, 1, 1]);
    }
}
