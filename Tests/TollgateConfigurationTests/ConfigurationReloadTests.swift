import Testing
import TollgateConfiguration

@Suite struct ConfigurationReloadTests {
    /// Three states of one file.
    private static func identities() throws -> [FileIdentity] {
        try (1...3).map { size in
            try ConfigurationFixture.withDirectory(["file": String(repeating: "x", count: size)]) { directory in
                try #require(FileIdentity(path: directory + "/file"))
            }
        }
    }

    private static func file(_ identity: FileIdentity?, hasContents: Bool = true) -> ConfigurationFile {
        ConfigurationFile(path: "file", identity: identity, hasContents: hasContents)
    }

    /// What one look after the other says.
    private static func looks(
        _ reload: inout ConfigurationReload, _ states: [FileIdentity?], isAsked: Bool = false
    ) -> [Bool] {
        states.map { reload.look($0, isAsked: isAsked) }
    }

    /// The program that writes the file may be in the middle of it.
    @Test func changeCountsWhenItHasComeToRest() throws {
        let states = try Self.identities()
        var reload = ConfigurationReload(Self.file(states[0]))
        let looks = Self.looks(&reload, [states[0], states[1], states[2], states[2], states[2]])
        #expect(looks == [false, false, false, true, false])
    }

    @Test func whatCameAndWentIsNoChange() throws {
        let states = try Self.identities()
        var reload = ConfigurationReload(Self.file(states[0]))
        let looks = Self.looks(&reload, [nil, states[0], states[1], states[0], states[0]])
        #expect(looks == [false, false, false, false, false])
    }

    @Test func whoAsksDoesNotWait() throws {
        let states = try Self.identities()
        var reload = ConfigurationReload(Self.file(states[0]))
        let asked = Self.looks(&reload, [states[0], states[1]], isAsked: true)
        #expect(asked == [true, true])
        let later = Self.looks(&reload, [states[1]])
        #expect(later == [false])
    }

    @Test func fileThatIsGoneTakesNothingsPlace() throws {
        let states = try Self.identities()
        var reload = ConfigurationReload(Self.file(states[0]))
        let files = [
            Self.file(nil, hasContents: false), Self.file(states[1], hasContents: false), Self.file(states[2]),
        ]
        let taken = files.map { reload.take($0) }
        #expect(taken == [false, false, true])
        #expect(reload.file == files[2])
        var blank = ConfigurationReload(files[0])
        let isTaken = blank.take(files[1])
        #expect(isTaken)
    }

    /// It may have changed again while it was read.
    @Test func changeDuringTheReadingIsSeen() throws {
        let states = try Self.identities()
        var reload = ConfigurationReload(Self.file(states[0]))
        let asked = Self.looks(&reload, [states[1]], isAsked: true)
        let isTaken = reload.take(Self.file(states[1]))
        let later = Self.looks(&reload, [states[2], states[2]])
        #expect(asked + [isTaken] + later == [true, true, false, true])
    }

    @Test func noFileHasNoIdentity() {
        #expect(FileIdentity(path: "/nowhere/at/all") == nil)
    }
}
