//! Previews of one order that shares its invoices with more than one invoice takes: they are what the run makes.

use aggregates::{
    id::{CustomerId, LineId, SubscriptionId},
    money::Money,
    order_terms::OrderBillingChanges,
    subscription::{ChargeType, LineChange, OrderChange, OrderLine},
};
use billstream::{
    app::{billing_run::units::MOST_ON_ONE_INVOICE, orders::NewOrder},
    clock::Clock,
};
use chrono::NaiveDate;
use projections::subscription::Scope;
use rust_decimal::Decimal;
use serde_json::json;

use super::{Books, date, eur, midnight};
use crate::{
    billstream::post,
    support::{TestApp, on_both},
};

/// How many lines of 1.00 a month an order has.
const LINES: u128 = 5;
const MORE: usize = 3;

async fn order(books: &Books<'_>, customer: CustomerId, n: usize) -> SubscriptionId {
    let line = |k: u128| OrderLine {
        id: LineId(uuid::Uuid::from_u128(100 * n as u128 + k)),
        item: format!("ITEM-{k}"),
        name: None,
        quantity: Decimal::ONE,
        price: Decimal::ONE,
        charge_type: ChargeType::Recurring,
        tax: None,
    };
    let number = format!("N-{n}");
    let new = NewOrder {
        customer,
        account: "ACCNT1".to_owned(),
        number: Some(number.clone()),
        name: None,
        currency: eur(),
        start: date("2026-10-05"),
        price_tax_inclusive: false,
        lines: (0..LINES).map(line).collect(),
        billing: OrderBillingChanges {
            consolidate_invoice: Some(true),
            ..OrderBillingChanges::default()
        },
    };
    books
        .test
        .app
        .create_order(&books.request(), &new)
        .await
        .expect("an order");
    let found = books.test.app.order(&books.tenant, &number).await.expect("readable");
    found.expect("the order").id
}

/// A customer of more orders than are on one invoice, in order of their ids.
async fn many(books: &Books<'_>) -> (CustomerId, Vec<SubscriptionId>) {
    let customer = books.customer().await;
    let mut orders = Vec::new();
    for n in 0..MOST_ON_ONE_INVOICE + MORE {
        orders.push(order(books, customer, n).await);
    }
    orders.sort();
    (customer, orders)
}

async fn number_of(test: &TestApp, order: SubscriptionId) -> String {
    let sql = "SELECT number FROM orders WHERE subscription = $1";
    let rows = test.app.journal.store().read(sql, &[order.to_string().into()]).await;
    rows.expect("readable")[0].text(0).expect("a number").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_shares_with_too_many_for_one_invoice_is_previewed_as_the_run_bills_it() {
    on_both(async |test| {
        let books = Books::of(&test);
        let (customer, orders) = many(&books).await;
        let last = *orders.last().expect("orders");
        let scope = Scope {
            subscription: Some(last),
            ..Scope::default()
        };
        // Those of the first invoice have more charges by then than a preview shows.
        let until = midnight("2027-08-05");
        let preview = test
            .app
            .preview_run(&books.request(), scope, until)
            .await
            .expect("a preview");
        assert_eq!((preview.charges.len(), preview.beside.len()), (5 * 11, 2 * 5 * 11));
        let made = |preview: &billstream::app::previews::Preview| -> Vec<(NaiveDate, usize, i64, i64)> {
            let shown = preview.invoices.iter();
            shown
                .map(|one| (one.issue_date, one.lines.len(), one.total.minor, one.to_pay().minor))
                .collect()
        };
        assert_eq!(made(&preview).len(), 11);
        assert_eq!(made(&preview)[0], (date("2026-10-05"), 15, 1_500, 1_500));
        // Once one has ended those behind it move up; and the first invoice uses the credit first.
        let first = number_of(&test, orders[0]).await;
        let cancelled = test
            .app
            .cancel_order(&books.request(), &first, Some(date("2026-11-05")))
            .await;
        cancelled.expect("to end");
        let granted = Money::new(500_500, eur());
        test.app
            .grant_credit(&books.request(), customer, granted, "goodwill")
            .await
            .expect("granted");
        let preview = test
            .app
            .preview_run(&books.request(), scope, midnight("2026-12-05"))
            .await;
        let preview = preview.expect("a preview");
        assert_eq!(
            made(&preview),
            [
                (date("2026-10-05"), 15, 1_500, 1_000),
                (date("2026-11-05"), 15, 1_500, 1_500),
                (date("2026-12-05"), 10, 1_000, 1_000)
            ]
        );
        // What a change of it would come to.
        let found = test.app.order(&books.tenant, &number_of(&test, last).await).await;
        let line = found.expect("readable").expect("the order").details.lines[0].id;
        let change = OrderChange {
            lines: vec![LineChange::Remove(line)],
            ..OrderChange::default()
        };
        let changed = test
            .app
            .preview_order_change(&books.tenant, last, &change, test.clock.now())
            .await;
        assert!(changed.is_ok(), "{changed:?}");
        // Byte for byte as it is billed; then as it was said.
        assert_eq!(books.bill(last, "2026-10-05").await.invoices.len(), 1);
        assert_eq!(books.bill(orders[1], "2026-11-05").await.invoices.len(), 1);
        assert_eq!(books.bill(last, "2026-12-05").await.invoices.len(), 1);
        let all = books.invoices().await;
        let mut mine = Vec::new();
        for (view, lines) in &all {
            if lines.len() <= 15 {
                mine.push((view.issue_date, lines.len(), view.total.minor, view.to_pay.minor));
            }
        }
        assert_eq!(mine, made(&preview));
        let body = json!({"until": "2027-01-05T00:00:00Z", "contract_id": format!("Cont_{last}")});
        assert_eq!(post(&test, "/billstream/v1/previews/run", &body).await.status, 200);
    })
    .await;
}
