/// A month of a user: what an export has a part for.
package struct UserMonth: Sendable, Hashable {
    package let userID: UserID

    /// The first day of the month.
    package let firstDay: CalendarDay

    /// Days on which anything was counted, oldest first.
    package let days: [UsageDay]

    package init(userID: UserID, firstDay: CalendarDay, days: [UsageDay]) {
        self.userID = userID
        self.firstDay = firstDay
        self.days = days
    }
}
