//! The pictures of a folder.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::CoreError;

/// Extensions, in lower case, of the files that [`read_image`](crate::read_image) reads.
const EXTENSIONS: [&str; 10] = ["png", "jpg", "jpeg", "jpe", "jfif", "bmp", "dib", "tif", "tiff", "webp"];
/// Those of pictures of formats that it does not read.
const UNREAD: [&str; 22] = [
    "avif", "dng", "exr", "gif", "hdr", "heic", "heif", "hif", "ico", "j2k", "jp2", "jpf", "jpx", "jxl",
    "jxr", "pam", "pbm", "pgm", "pnm", "ppm", "qoi", "tga",
];

/// The pictures of a folder, told by their extension and sorted by path; `recursive` has those of the folders in it too.
///
/// Hidden files and folders, whose names begin with a dot, are left out; folders that are links are not followed. Pipes,
/// sockets and devices are no pictures, whatever their names: to open one may be to wait for ever.
///
/// # Errors
/// [`CoreError::Io`] naming a folder that cannot be read.
pub fn images_in(folder: impl AsRef<Path>, recursive: bool) -> Result<Vec<PathBuf>, CoreError> {
    Ok(Listed::of(folder.as_ref(), recursive)?.read)
}

/// The pictures of a folder, sorted by path.
#[derive(Default)]
struct Listed {
    read: Vec<PathBuf>,
    /// Those whose formats are not read.
    unread: Vec<PathBuf>,
}

impl Listed {
    fn of(folder: &Path, recursive: bool) -> Result<Self, CoreError> {
        let mut listed = Self::default();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let at = |source| CoreError::Io { path: folder.clone(), source };
            for entry in std::fs::read_dir(&folder).map_err(at)? {
                let entry = entry.map_err(at)?;
                let path = entry.path();
                if entry.file_name().as_encoded_bytes().starts_with(b".") {
                    continue;
                }
                if entry.file_type().map_err(at)?.is_dir() {
                    if recursive {
                        folders.push(path);
                    }
                    continue;
                }
                let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
                let files = match extension.as_deref() {
                    Some(extension) if EXTENSIONS.contains(&extension) => &mut listed.read,
                    Some(extension) if UNREAD.contains(&extension) => &mut listed.unread,
                    _ => continue,
                };
                // A link that leads nowhere is an error when it is read.
                if path.metadata().map_or(true, |metadata| metadata.is_file()) {
                    files.push(path);
                }
            }
        }
        listed.read.sort();
        listed.unread.sort();
        Ok(listed)
    }
}

/// The pictures of a folder, to be found by the place of another version in another folder: the original of a distorted
/// picture, say.
///
/// ```no_run
/// use iqa_core::ImageFolder;
/// let references = ImageFolder::open("originals", true)?;
/// // `originals/cats/1.png`, or `originals/cats/1.bmp` if that is the only `1` there.
/// let reference = references.find("cats/1.png".as_ref());
/// # Ok::<(), iqa_core::CoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImageFolder {
    folder: PathBuf,
    /// Paths of the files, below the folder.
    files: BTreeSet<PathBuf>,
    /// The files of each path without extension.
    stems: HashMap<PathBuf, Vec<PathBuf>>,
    unread: Vec<PathBuf>,
}

impl ImageFolder {
    /// The pictures of a folder as [`images_in`] lists them.
    ///
    /// # Errors
    /// [`CoreError::Io`] naming a folder that cannot be read.
    pub fn open(folder: impl AsRef<Path>, recursive: bool) -> Result<Self, CoreError> {
        let folder = folder.as_ref();
        let below = |path: PathBuf| path.strip_prefix(folder).map(Path::to_path_buf).unwrap_or(path);
        let Listed { read, unread } = Listed::of(folder, recursive)?;
        let files: BTreeSet<PathBuf> = read.into_iter().map(below).collect();
        let mut stems: HashMap<PathBuf, Vec<PathBuf>> = HashMap::new();
        for file in &files {
            stems.entry(file.with_extension("")).or_default().push(file.clone());
        }
        Ok(Self { folder: folder.into(), files, stems, unread })
    }

    /// The version of another image here, by the path of that below its own folder: the file of the same path, or else the
    /// only one of the same path but for the extension.
    pub fn find(&self, other: &Path) -> Option<PathBuf> {
        let same = self.files.get(other).or_else(|| match self.stems.get(&other.with_extension("")) {
            Some(files) if files.len() == 1 => files.first(),
            _ => None,
        });
        same.map(|file| self.folder.join(file))
    }

    /// The pictures, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.files.iter().map(|file| self.folder.join(file))
    }

    /// The pictures that are left out since their formats are not read, such as GIF, AVIF and PPM; told by their extension,
    /// sorted by path.
    pub fn unread(&self) -> &[PathBuf] {
        &self.unread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_the_file_of_the_same_place_or_the_only_one_of_another_kind() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a.png", "b.bmp", "c.png", "c.jpg", "in/a.png", "d.tar.png"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes it");
            std::fs::write(path, "").expect("writes");
        }
        let references = ImageFolder::open(folder.path(), true).expect("lists");
        let find = |name: &str| {
            let found = references.find(Path::new(name))?;
            Some(found.strip_prefix(folder.path()).expect("below").to_string_lossy().into_owned())
        };
        for (distorted, reference) in [
            ("a.png", Some("a.png")),
            ("a.jpg", Some("a.png")),
            ("in/a.jpg", Some("in/a.png")),
            ("b.png", Some("b.bmp")),
            ("c.jpg", Some("c.jpg")),
            // Two could be meant.
            ("c.webp", None),
            ("d.tar.jpg", Some("d.tar.png")),
            ("d.png", None),
            ("e.png", None),
        ] {
            assert_eq!(find(distorted).as_deref(), reference, "{distorted}");
        }
        assert_eq!(references.files().count(), 6);
        let flat = ImageFolder::open(folder.path(), false).expect("lists");
        assert_eq!(flat.find(Path::new("in/a.png")), None);
    }

    #[test]
    fn every_usual_extension_is_found_and_hidden_files_are_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let make = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("makes it");
            std::fs::write(path, "").expect("writes");
        };
        let here =
            ["a.PNG", "b.jpg", "c.jpeg", "d.jpe", "e.jfif", "f.bmp", "g.dib", "h.tif", "i.TIFF", "j.webp"];
        here.iter().copied().for_each(make);
        for name in ["._b.jpg", "notes.txt", "png", "sub.png/k.jpg", "sub.png/deep/l.jpg", ".hidden/m.jpg"] {
            make(name);
        }
        let names = |recursive| -> Vec<String> {
            let found = images_in(folder.path(), recursive).expect("lists");
            let inside =
                |path: &PathBuf| path.strip_prefix(folder.path()).expect("inside").display().to_string();
            found.iter().map(inside).collect()
        };
        assert_eq!(names(false), here);
        let deep = ["sub.png/deep/l.jpg", "sub.png/k.jpg"];
        assert_eq!(names(true), [&here[..], &deep].concat());
        #[cfg(unix)]
        {
            let _socket =
                std::os::unix::net::UnixListener::bind(folder.path().join("s.png")).expect("a socket");
            std::os::unix::fs::symlink("/dev/zero", folder.path().join("z.png")).expect("a link");
            assert_eq!(names(false), here);
        }
        let unread = ["a.ppm", "b.GIF", "sub.png/c.avif"];
        unread.iter().copied().for_each(make);
        make("._b.gif");
        assert_eq!(names(false), here);
        let left_out =
            |recursive| ImageFolder::open(folder.path(), recursive).expect("lists").unread().to_vec();
        assert_eq!(left_out(true), unread.map(|name| folder.path().join(name)));
        assert_eq!(
            left_out(false),
            unread[..2].iter().map(|name| folder.path().join(name)).collect::<Vec<_>>()
        );
        let error = images_in(folder.path().join("none"), false).expect_err("no folder").to_string();
        assert!(error.contains("none"), "{error}");
    }
}
