/// Finds variables that nobody reads and that nearly have the name of a setting: whoever wrote one believes that it counts.
enum MisspeltNames {
    /// What every setting of the gateway's own begins with; a name that does and is no setting is a mistake.
    private static let prefix = "TOLLGATE_"

    /// Read by others than the program: docker-compose.yml, the tests, and the development mode.
    private static let ofOthers: Set<String> = [
        "TOLLGATE_PUBLIC_PORT", "TOLLGATE_OVERVIEW_PORT", "TOLLGATE_REDIS_SERVER", "TOLLGATE_TEST_REDIS_USERS",
        "TOLLGATE_FUZZ",
    ]

    /// Kubernetes gives every container variables that begin with the name of each service, such as one named
    /// `tollgate`.
    private static let ofKubernetes = ["TOLLGATE_SERVICE_", "TOLLGATE_PORT_"]

    /// A clause and a remedy. Nil for a name that is a setting, or has nothing to do with any.
    static func finding(about name: String) -> (message: String, remedy: String)? {
        let known = Setting.all.map(\.name)
        guard !known.contains(name), !ofOthers.contains(name), !ofKubernetes.contains(where: name.hasPrefix) else {
            return nil
        }
        if name.hasPrefix(prefix) {
            return ("there is no setting \(name), so it is without effect", Suggestion.remedy(for: name, among: known))
        }
        guard let meant = Suggestion.misspelt(name, among: known) else { return nil }
        return ("\(name) is no setting, so it is without effect", "Did you mean '\(meant)'?")
    }
}
