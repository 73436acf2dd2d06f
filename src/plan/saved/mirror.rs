//! Images of the core types for files: the core itself knows no serde.
//!
//! Each type is listed once, field by field; a field that is forgotten here does not compile.

use crate::ruleset::{Element, Elements};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A type that has an image in a file.
pub(super) trait Mirror: Sized {
    /// What is written and read.
    type Image: Serialize + DeserializeOwned;
    /// As it is written.
    fn image(&self) -> Self::Image;
    /// As it was read.
    fn of(image: Self::Image) -> Self;
}

macro_rules! itself {
    ($($type:ty),*) => {$(
        impl Mirror for $type {
            type Image = Self;
            fn image(&self) -> Self {
                self.clone()
            }
            fn of(image: Self) -> Self {
                image
            }
        }
    )*};
}
itself!(bool, u8, u16, u32, u64, i32, String, [u8; 16]);

impl<T: Mirror> Mirror for Option<T> {
    type Image = Option<T::Image>;
    fn image(&self) -> Self::Image {
        self.as_ref().map(T::image)
    }
    fn of(image: Self::Image) -> Self {
        image.map(T::of)
    }
}

impl<T: Mirror> Mirror for Vec<T> {
    type Image = Vec<T::Image>;
    fn image(&self) -> Self::Image {
        self.iter().map(T::image).collect()
    }
    fn of(image: Self::Image) -> Self {
        image.into_iter().map(T::of).collect()
    }
}

impl Mirror for Elements {
    type Image = Vec<<Element as Mirror>::Image>;
    fn image(&self) -> Self::Image {
        self.iter().map(|element| element.image()).collect()
    }
    fn of(image: Self::Image) -> Self {
        image.into_iter().map(Element::of).collect()
    }
}

impl<T: Mirror> Mirror for Box<[T]> {
    type Image = Vec<T::Image>;
    fn image(&self) -> Self::Image {
        self.iter().map(T::image).collect()
    }
    fn of(image: Self::Image) -> Self {
        image.into_iter().map(T::of).collect()
    }
}

impl<A: Mirror, B: Mirror> Mirror for (A, B) {
    type Image = (A::Image, B::Image);
    fn image(&self) -> Self::Image {
        (self.0.image(), self.1.image())
    }
    fn of((a, b): Self::Image) -> Self {
        (A::of(a), B::of(b))
    }
}

/// The image of a type with one unnamed field is that of the field.
macro_rules! mirror_newtype {
    ($($type:ident($inner:ty)),*) => {$(
        impl Mirror for $type {
            type Image = <$inner as Mirror>::Image;
            fn image(&self) -> Self::Image {
                self.0.image()
            }
            fn of(image: Self::Image) -> Self {
                Self(<$inner as Mirror>::of(image))
            }
        }
    )*};
}

/// `mirror_struct!(Image of Type { field: Type, … })`
macro_rules! mirror_struct {
    ($image:ident of $type:ident { $($field:ident: $of:ty),* $(,)? }) => {
        #[derive(Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $image {
            $(pub(super) $field: <$of as Mirror>::Image,)*
        }
        impl Mirror for $type {
            type Image = $image;
            fn image(&self) -> $image {
                let Self { $($field),* } = self;
                $image { $($field: $field.image()),* }
            }
            fn of(image: $image) -> Self {
                let $image { $($field),* } = image;
                Self { $($field: <$of as Mirror>::of($field)),* }
            }
        }
    };
}

/// `mirror_enum!(Image of Type { plain: [A, B], one: [C(Type)], named: [D { field: Type }] })`
macro_rules! mirror_enum {
    ($image:ident of $type:ident {
        plain: [$($plain:ident),* $(,)?],
        one: [$($one:ident($inner:ty)),* $(,)?],
        named: [$($named:ident { $($field:ident: $of:ty),* $(,)? }),* $(,)?]
    }) => {
        #[derive(Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub(super) enum $image {
            $($plain,)*
            $($one(<$inner as Mirror>::Image),)*
            $($named { $($field: <$of as Mirror>::Image),* },)*
        }
        impl Mirror for $type {
            type Image = $image;
            fn image(&self) -> $image {
                match self {
                    $(Self::$plain => $image::$plain,)*
                    $(Self::$one(inner) => $image::$one(inner.image()),)*
                    $(Self::$named { $($field),* } => $image::$named { $($field: $field.image()),* },)*
                }
            }
            fn of(image: $image) -> Self {
                match image {
                    $($image::$plain => Self::$plain,)*
                    $($image::$one(inner) => Self::$one(<$inner as Mirror>::of(inner)),)*
                    $($image::$named { $($field),* } => Self::$named { $($field: <$of as Mirror>::of($field)),* },)*
                }
            }
        }
    };
}

pub(super) use {mirror_enum, mirror_newtype, mirror_struct};
