"""Of the first test of a process that fails, how the logs of its vaults ended then."""

import unittest
import weakref

vaults_that_tell = weakref.WeakSet()


class ResultWithLogs(unittest.TextTestResult):
    logs = None

    def _failed(self):
        if self.logs is None:
            self.logs = [f"{vault.path('log')} ended then:\n{vault.log_tail(60)}" for vault in vaults_that_tell]

    def addFailure(self, test, err):
        self._failed()
        super().addFailure(test, err)

    def addError(self, test, err):
        self._failed()
        super().addError(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._failed()
        super().addSubTest(test, subtest, err)

    def printErrors(self):
        super().printErrors()
        for log in self.logs or ():
            self.stream.writeln(log)


unittest.TextTestRunner.resultclass = ResultWithLogs
