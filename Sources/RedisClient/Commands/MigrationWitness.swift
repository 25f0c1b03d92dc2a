/// A key that never exists, and that every script of a cluster declares.
///
/// While a slot is moved in the classical way, its keys are on two servers, and a script could see half of a user: it
/// would count anew what has been moved already, and what it makes on one server keeps `MIGRATE` from bringing it there.
/// Redis refuses a script that declares several keys as long as one of them is missing where the slot is being moved
/// from, and where it is being moved to (`TRYAGAIN`, or `ASK` when none is there): with a key that is always missing, no
/// script runs until the slot has arrived. Scripts that are refused have done nothing, and are sent again.
/// (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#multiple-keys-operations)
enum MigrationWitness {
    /// Its name is this, the hash tag of the script's keys, and the suffix: so it lies in their slot.
    static let prefix = "usage:{"
    static let suffix = "}:moving"
}
