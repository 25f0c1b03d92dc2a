/// When the configuration's file is to be read again, decided from one look at it after the other.
///
/// A change counts when two looks have found the same: the program that writes the file may be in the middle of it.
package struct ConfigurationReload: Sendable {
    /// As it was when what is in force was read.
    package private(set) var file: ConfigurationFile

    /// What was read last, be it valid or not.
    private var known: FileIdentity?
    private var seen: FileIdentity?

    /// - Parameter file: As it was at the start.
    package init(_ file: ConfigurationFile) {
        self.file = file
        known = file.identity
        seen = file.identity
    }

    /// Whether to read the file now. It is taken as read then.
    ///
    /// - Parameter isAsked: The operator wants it read, changed or not.
    package mutating func look(_ identity: FileIdentity?, isAsked: Bool) -> Bool {
        let isAtRest = identity == seen
        seen = identity
        guard isAsked || isAtRest && identity != known else { return false }
        known = identity
        return true
    }

    /// Whether what was read may take the place of what is in force: not when a file that had something to say is gone.
    package mutating func take(_ newFile: ConfigurationFile) -> Bool {
        guard newFile.hasContents || !file.hasContents else { return false }
        file = newFile
        known = newFile.identity
        return true
    }
}
